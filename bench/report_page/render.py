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

FOLDED_ROWS = 12  # a longer table of a suite is folded: on a phone it is many screens


def render(reports: Sequence[Report], missing: Mapping[str, str]) -> str:
    """The whole page of `reports`, as HTML; `missing` are suites without one, and why."""
    environment = Environment(
        loader=PackageLoader("bench.report_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.jinja")
    of_all = summary(reports, missing)
    return page.render(summary=of_all, sections=sections(reports), fold=FOLDED_ROWS)
