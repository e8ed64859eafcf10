"""Conditions name what the figures rest on; warnings say why one may doubt them."""

from __future__ import annotations

import pytest

from bench.report_page.conditions import conditions, not_measured, spread, warnings
from tests.report_rows import a_report, a_row


def test_measured_rows_name_machine_samples_date_and_revision() -> None:
    rows = [a_row(level="stock"), a_row(threads=2)]
    assert conditions(a_report(*rows), rows) == (
        "Measured on Some CPU AVX2; model shufflenet-1.0x-g3, input 224x224, engine "
        "shufflenet-compiled, target host; 1 to 2 threads; median of 3 samples; 2026-11-25, "
        "revision 0123456789ab."
    )


def test_the_command_is_named_where_the_report_has_it() -> None:
    report = a_report(a_row(), command="python bench/run.py fusion --target host --quick")
    told = conditions(report, report.rows)
    assert told.endswith("; made by python bench/run.py fusion --target host --quick.")


def test_modelled_rows_never_say_measured_on() -> None:
    rows = [a_row([38.5], kind="modelled", unit="Mcycles", core="cortex-a72")]
    told = conditions(a_report(*rows), rows)
    assert told.startswith("Modelled, not measured: cycles of the core cortex-a72;")
    assert "Some CPU" not in told


def test_the_hash_of_the_weights_is_named() -> None:
    report = a_report(a_row(), weights={"shufflenet-1.0x-g3": "abcdef0123456789"})
    assert "; weights abcdef0123456789;" in conditions(report, report.rows)


def test_a_scattered_busy_and_unfinished_run_is_warned_of() -> None:
    row = a_row([1.0, 1.0, 2.0, 3.0])
    told = " ".join(warnings(a_report(row, load_before=3.5, revision="0123-dirty")))
    assert "load 3.5 on 2 cores" in told
    assert "1 of 1 measured rows scatter" in told
    assert "uncommitted changes" in told


def test_a_runs_own_warnings_replace_the_pages_guess_at_noise() -> None:
    report = a_report(a_row([1.0, 1.0, 2.0, 3.0]), warnings=["the peak moved"])
    assert list(warnings(report)) == ["the peak moved"]


def test_modelled_rows_need_no_quiet_machine() -> None:
    assert not list(warnings(a_report(a_row([1.0], kind="modelled"), load_before=9.0)))


def test_modelled_rows_of_uncommitted_changes_are_warned_of() -> None:
    (told,) = warnings(a_report(a_row([1.0], kind="modelled"), revision="0123-dirty"))
    assert told.startswith("made from uncommitted changes: ")


@pytest.mark.parametrize("unit", ["of the logits' range", "bytes"])
def test_a_busy_machine_changes_neither_errors_nor_bytes(unit: str) -> None:
    row = a_row([1.0, 2.0, 9.0, 30.0], unit=unit)
    assert not list(warnings(a_report(row, load_before=9.0)))


def test_engines_that_were_not_measured_are_named_beside_those_that_were() -> None:
    report = a_report(a_row(), a_row(engine="ncnn"), not_measured={"mnn": "not installed"})
    assert not_measured(report, report.rows) == ["Not measured: mnn (not installed)."]
    assert not_measured(report, report.rows[:1]) == []


def test_the_spread_is_of_the_middle_half() -> None:
    assert spread(a_row([1.0, 2.0, 3.0, 4.0, 5.0])) == 2 / 3
    assert spread(a_row([1.0])) == 0
