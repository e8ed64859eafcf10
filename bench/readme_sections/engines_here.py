"""Other engines on a machine, beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from bench.committed_reports import HERE, committed_report
from bench.engines import peers_in
from bench.readme_sections.committed import engine_of, measured_conditions, section
from bench.reports import Report
from bench.rows import ENGINE, Row
from deploy_rpc.cores import Dtype

HEADINGS = ("model", "engine", "median", "95 % interval", "of ours", "memory")
CORRELATION = "correlation with float32"
NOT_OFFERED = "not offered"  # how `bench/engines.py` begins such a reason


def engines_here_section(target: str = HERE) -> str:
    """A row a network and engine; `of ours` is against our fastest level of that network."""
    return _section(committed_report("peers", target), "float32", HEADINGS)


def int8_engines_section() -> str:
    """The same of int8, with how each output correlates with that of float32."""
    return _section(committed_report("peers", "host-int8"), "int8", (*HEADINGS, CORRELATION))


def _section(report: Report, dtype: Dtype, headings: Sequence[str]) -> str:
    lines = (_line(row, report)[: len(headings)] for row in report.rows)
    missing = report.context["not_measured"]
    named = "; ".join(f"{name} ({_reason(name, missing[name], dtype)})" for name in missing)
    below = [f"Not measured: {named}."] if named else []
    return section(headings, lines, measured_conditions(report, "interleaved rounds"), *below)


def _reason(engine: str, reason: str, dtype: Dtype) -> str:
    """Why the report has no row of `engine`; what was no peer then and is one now is called so."""
    is_offered_now = engine in peers_in(dtype)
    return "no peer yet at that revision" if is_offered_now and NOT_OFFERED in reason else reason


def _line(row: Row, report: Report) -> tuple[str, ...]:
    return (
        row["model"],
        engine_of(row),
        f"{row['median']:.2f} ms",
        "{:.2f} to {:.2f}".format(*row["interval"]) if row["interval"] else "-",
        f"{row['median'] / _ours(report.rows, row):.2f}x",
        f"{row['memory_bytes'] / 1e6:.1f} MB",
        f"{row['correlation']:.4f}" if "correlation" in row else "-",
    )


def _ours(rows: list[Row], row: Row) -> float:
    """Our fastest median of the row's network."""
    about = row["model"], row["input"]
    return min(
        each["median"]
        for each in rows
        if each["engine"] == ENGINE and (each["model"], each["input"]) == about
    )
