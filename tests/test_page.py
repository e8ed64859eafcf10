"""One self-contained page of any reports: every suite is on it, and no text of theirs is markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench import page
from bench.committed_reports import RESULTS
from bench.report_page import SUITES, sections
from bench.report_page.render import FOLDED_ROWS, render
from tests.report_rows import a_report, a_row, report_of_every_suite, write_report

VOID = {"meta"}  # elements that HTML never closes


class Structure(HTMLParser):
    """Checks that elements close in order, and gathers ids and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        of = dict(attrs)
        self.ids += [of["id"]] if "id" in of else []
        self.addresses += [of[name] for name in ("href", "src") if name in of]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("line", "rect")  # the others have a title inside

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_asks_for_nothing() -> None:
    text = render([report_of_every_suite()], {})
    structure = Structure(text)
    assert structure.open == []
    assert len(structure.ids) == len(set(structure.ids))
    assert {address.removeprefix("#") for address in structure.addresses} == set(structure.ids)
    assert not re.search(r"<script|<link|<img|@import|url\(|https?:", text)


def test_known_suites_come_in_their_order_and_unknown_ones_after_them() -> None:
    names = [section.name for section in sections([report_of_every_suite()])]
    assert names == [*SUITES, "weather"]


def test_an_unknown_suite_is_a_table_of_its_rows() -> None:
    section = sections([report_of_every_suite()])[-1]
    (block,) = section.blocks
    assert block.figures == ()
    assert block.tables[0].rows == [["7.000"]]
    assert block.tables[0].caption == "In all rows: sunny True, wind, ms 3.500"


def test_several_reports_of_one_suite_stand_in_one_section() -> None:
    reports = [a_report(a_row(core=core), name=f"{core}.json") for core in ("a", "b")]
    (section,) = sections(reports)
    assert [block.source for block in section.blocks] == ["a.json", "b.json"]


def test_text_of_a_report_is_text_on_the_page() -> None:
    text = render([a_report(a_row(engine="<b>&"), a_row(), cpu="<script>")], {})
    assert "<script>" not in text
    assert "&lt;b&gt;&amp;" in text


def test_a_long_table_is_folded_and_a_short_one_is_not() -> None:
    short, long = (
        render([a_report(*(a_row(model=f"net{n}") for n in range(count)))], {})
        for count in (FOLDED_ROWS, FOLDED_ROWS + 1)
    )
    assert "<details>" not in short
    assert f"<summary>All {FOLDED_ROWS + 1} rows</summary>" in long


@pytest.mark.parametrize("kind", ["measured", "modelled"])
def test_every_block_says_whether_it_was_measured(kind: str) -> None:
    text = render([a_report(a_row([1.0], kind=kind))], {})
    assert f'<h3>host (skylake) <b class="kind {kind}">{kind}</b></h3>' in text


def test_the_committed_reports_make_a_page(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    reports = [str(report) for report in sorted(RESULTS.glob("*/*.json"))]
    page.main([*reports, "--html", str(path)])
    text = path.read_text(encoding="utf-8")
    assert Structure(text).open == []
    assert all(report in text for report in reports)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--html", "page.html"), "REPORT.json"),
        (("REPORT",), "--html"),
        (("missing.json", "--html", "page.html"), "found nothing at missing.json"),
        (("REPORT", "--html", "no/such/folder/page.html"), "there is no folder no/such/folder"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write_report(tmp_path / "report.json", a_row())
    with pytest.raises(SystemExit) as exit_:
        page.main([report if word == "REPORT" else word for word in arguments])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_report_goes_to_the_page_as_its_file_says(tmp_path: Path) -> None:
    report, path = tmp_path / "report.json", tmp_path / "page.html"
    report.write_text(json.dumps({"context": {}, "rows": [a_row()]}))
    page.main([str(report), "--html", str(path)])
    assert "a machine without a name" in path.read_text(encoding="utf-8")
