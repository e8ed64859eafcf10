"""The paper's ablation on the digits: groups with and without shuffle, and MobileNet."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, section
from bench.rows import Row

HEADINGS = ("groups", "k MACs", "k parameters", "top-1 with shuffle", "without")


def ablation_section() -> str:
    """A row for each number of groups, then MobileNet."""
    report = committed_report("ablation")
    by_groups: dict[int | None, list[Row]] = {}
    for row in report.rows:
        by_groups.setdefault(row["groups"], []).append(row)
    lines = [_line(rows) for rows in by_groups.values()]
    first = report.rows[0]
    what = (
        f"Held-out digits right, in percent: mean and standard deviation over "
        f"{len(first['samples'])} seeds; {first['epochs']} epochs, a quarter of the paper's units; "
        f"one picture of the {first['held_out']} is {100 / first['held_out']:.2f} points. Trained "
        f"on {report.context['cpu']}"
    )
    return section(HEADINGS, lines, conditions(what, report))


def _line(rows: list[Row]) -> tuple[str, ...]:
    """Of the same groups: with shuffle before without, or alone."""
    first = rows[0]
    name = first["model"] if first["groups"] is None else str(first["groups"])
    accuracies = [f"{row['mean']:.2f} ({row['deviation']:.2f})" for row in rows]
    sizes = (f"{first['macs'] / 1e3:.0f}", f"{first['parameters'] / 1e3:.0f}")
    has_shuffle = first["shuffle"]
    shown = accuracies if has_shuffle else ["-", *accuracies]
    return name, *sizes, *shown
