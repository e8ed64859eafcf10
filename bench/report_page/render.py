"""The page's HTML: one file without scripts, pictures or fonts from anywhere.

The figures are small SVG written by templates, not a plotting library's: they take their colours
from the page's own variables, so that one picture serves light, dark and paper; their text is the
page's text, at its size on any width; and a page of ten reports stays below a few hundred KB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.report_page import sections
from bench.report_page.summary import summary
from bench.reports import Report


def render(reports: Sequence[Report], failed: Mapping[str, str]) -> str:
    """The whole page of `reports`, as HTML; `failed` are suites without one, and why."""
    environment = Environment(
        loader=PackageLoader("bench.report_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.jinja")
    return page.render(summary=summary(reports, failed), sections=sections(reports))
