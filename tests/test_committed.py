"""What stands below a table of README and docs: where its figures come from, and doubts."""

from __future__ import annotations

from bench.readme_sections.committed import (
    conditions,
    engine_of,
    made,
    measured_conditions,
    several,
)
from tests.report_rows import a_report, a_row

COMMAND = "python bench/run.py table8 --target host --quick --json table8.json"


def test_the_command_that_made_the_figures_is_named() -> None:
    report = a_report(a_row(), command=COMMAND)
    assert conditions("One thread", report) == (
        f"One thread; 2026-11-25, revision 0123456789ab; `{COMMAND}`; report: `report.json`."
    )


def test_a_report_from_before_commands_were_kept_names_none() -> None:
    assert made(a_report(a_row())) == "2026-11-25, revision 0123456789ab"


def test_rows_made_bit_by_bit_name_all_their_revisions_and_commands_once() -> None:
    rows = [a_row(revision="a", command="first"), a_row(revision="b", command="second")]
    told = made(a_report(*rows, rows[0], command="second"))
    assert told == "2026-11-25, revisions a, b; `first`, `second`"


def test_a_reports_own_warnings_stand_below_its_figures() -> None:
    warned = ["the core's peak moved by +42.0% (more than 3%): compare within a round only"]
    report = a_report(a_row(), warnings=warned, revision="0123-dirty", load_before=9.0)
    told = measured_conditions(report, "interleaved rounds")
    assert told.startswith("Measured on Some CPU AVX2, 2 cores, shared; median of 3 interleaved")
    assert told.endswith(
        "Doubts: the core's peak moved by +42.0% (more than 3%); made from uncommitted changes; "
        "the machine was busy, load 9 on 2 cores when the run began."
    )


def test_several_reports_are_a_list_each_with_its_own_doubts() -> None:
    reports = [a_report(a_row(), command=COMMAND), a_report(a_row(), name="b", revision="0-dirty")]
    first, empty, *items = several("Modelled", reports)
    assert (first, empty) == ("Modelled; reports:", "")
    assert items == [
        f"- `report.json`: 2026-11-25, revision 0123456789ab; `{COMMAND}`",
        "- `b`: 2026-11-25, revision 0-dirty; doubts: made from uncommitted changes",
    ]


def test_ours_is_named_with_its_level_and_another_engine_alone() -> None:
    assert engine_of(a_row(level="tuned")) == "shufflenet-compiled, tuned"
    assert engine_of(a_row(engine="ncnn", level=None)) == "ncnn"
