"""How the cycle model's order of schedules compares with their times."""

from __future__ import annotations

from bench.committed_reports import HERE, WITH_AVX2, committed_report
from bench.model_check_report import figures_of
from bench.readme_sections.committed import section, several
from bench.reports import Report

HEADINGS = (
    "LLVM's model", "kernel", "schedules", "slowest / fastest", "rank correlation", "pick / best",
    "median error",
)  # fmt: skip


def model_check_section() -> str:
    """A row a kernel and machine."""
    reports = [committed_report("model-check", target) for target in (HERE, WITH_AVX2)]
    rows = [(row["llvm_model"], *figures_of(row)) for report in reports for row in report.rows]
    return section(HEADINGS, rows, *several(_what(reports), reports))


def _what(reports: list[Report]) -> str:
    """Both reports have to agree in it, but for the machine."""
    rows = [row for report in reports for row in report.rows]
    (compiled_for,) = {row["compiled_for"] for row in rows}
    (rounds,) = {len(each["samples_ns"]) for row in rows for each in row["schedules"]}
    machines = ", ".join(
        f"{report.rows[0]['llvm_model']} on {report.context['cpu']}" for report in reports
    )
    return (
        f"Code for {compiled_for}, one thread; {machines}, both shared: the fastest of {rounds} "
        "rounds; a picture is beside each report"
    )
