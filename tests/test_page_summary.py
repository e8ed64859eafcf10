"""The head of the page: every report in a table, every machine once, every doubt."""

from __future__ import annotations

from bench.report_page.summary import summary
from tests.report_rows import a_report, a_row


def test_the_summary_describes_a_machine_once() -> None:
    reports = [
        a_report(a_row(), name="one.json", machine={"peak": {"median": 240.9}}),
        a_report(a_row(suite="peers"), name="two.json", engines={"ncnn": "1.0"}, interval="95 %"),
        a_report(a_row(), name="three.json", warnings=["the peak moved"], command="again"),
    ]
    of_all = summary(reports, {})
    assert [machine.reports for machine in of_all.machines] == [
        ["one.json", "three.json"],
        ["two.json"],
    ]
    assert of_all.doubts == [(["three.json"], "the peak moved")]
    assert [row[0] for row in of_all.table.rows] == ["one.json", "two.json", "three.json"]
    assert of_all.table.rows[0][-2:] == ["240.9", "-"]
    assert ("ncnn", "1.0") in of_all.machines[1].versions
    assert [machine.interval for machine in of_all.machines] == ["", "95 %"]


def test_other_plain_facts_of_a_run_are_listed() -> None:
    (machine,) = summary([a_report(a_row(), memory_gib=23.5, pinned_to="core 1")], {}).machines
    assert ("memory, GiB", "23.5") in machine.facts
    assert ("pinned to", "core 1") in machine.facts


def test_the_same_doubt_about_several_reports_is_said_once_and_missing_suites_come_first() -> None:
    reports = [a_report(a_row(), name=name, warnings=["it is noisy"]) for name in ("a", "b")]
    assert summary(reports, {"size": "no room"}).doubts == [
        (["size"], "not on this page: no room"),
        (["a", "b"], "it is noisy"),
    ]
