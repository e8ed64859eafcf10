"""Other engines on this machine, beside ours."""

from __future__ import annotations

from bench.readme_sections.committed import committed_report, markdown, measured_conditions
from bench.rows import ENGINE, Row

HEADINGS = ("model", "engine", "median", "95 % interval", "of ours", "memory")


def engines_here_section() -> str:
    """A row a network and engine; `of ours` is against our fastest level of that network."""
    report = committed_report("peers")
    lines = (
        (
            row["model"],
            _engine(row),
            f"{row['median']:.2f} ms",
            "{:.2f} to {:.2f}".format(*row["interval"]) if row["interval"] else "-",
            f"{row['median'] / _ours(report.rows, row):.2f}x",
            f"{row['memory_bytes'] / 1e6:.1f} MB",
        )
        for row in report.rows
    )
    missing = report.context["not_measured"]
    named = "; ".join(f"{engine} ({reason})" for engine, reason in missing.items())
    return "\n".join(
        [
            *markdown(HEADINGS, lines),
            "",
            measured_conditions(report, "interleaved rounds"),
            *([f"Not measured: {named}."] if named else []),
        ]
    )


def _engine(row: Row) -> str:
    return f"{row['engine']}, {row['level']}" if row["level"] else row["engine"]


def _ours(rows: list[Row], row: Row) -> float:
    """Our fastest median of the row's network."""
    about = row["model"], row["input"]
    return min(
        each["median"]
        for each in rows
        if each["engine"] == ENGINE and (each["model"], each["input"]) == about
    )
