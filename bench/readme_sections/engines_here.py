"""Other engines on this machine, beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from bench.readme_sections.committed import (
    committed_report,
    engine_of,
    markdown,
    measured_conditions,
)
from bench.reports import Report
from bench.rows import ENGINE, Row

HEADINGS = ("model", "engine", "median", "95 % interval", "of ours", "memory")
CORRELATION = "correlation with float32"


def engines_here_section() -> str:
    """A row a network and engine; `of ours` is against our fastest level of that network."""
    return _section(committed_report("peers"), HEADINGS)


def int8_engines_section() -> str:
    """The same of int8, with how each output correlates with that of float32."""
    return _section(committed_report("peers", "host-int8"), (*HEADINGS, CORRELATION))


def _section(report: Report, headings: Sequence[str]) -> str:
    lines = (_line(row, report)[: len(headings)] for row in report.rows)
    missing = report.context["not_measured"]
    named = "; ".join(f"{engine} ({reason})" for engine, reason in missing.items())
    return "\n".join(
        [
            *markdown(headings, lines),
            "",
            measured_conditions(report, "interleaved rounds"),
            *([f"Not measured: {named}."] if named else []),
        ]
    )


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
