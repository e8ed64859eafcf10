"""When a machine is too noisy for what a report says, in words that stand in the report.

The rule: a claim about a row is as fine as its interval, so an interval wider than `WIDEST` of its
median is warned of; and every time in the report is as good as the clock, so a peak that moved by
more than `DRIFT` over the run is warned of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.rows import Row

WIDEST = 0.05  # the differences that reports claim begin at 5 %
DRIFT = 0.03  # of the peak; an undisturbed core repeats it within 1 %


def noise_warnings(context: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    """What a reader of `rows`, measured under `context`, has to know about their noise."""
    machine = context.get("machine", {})
    if "peak_after" in machine:
        before, after = (machine[name]["median"] for name in ("peak", "peak_after"))
        drift = after / before - 1
        if abs(drift) > DRIFT:
            yield (
                f"the core's peak moved by {drift:+.1%} over the run, from {before:.1f} to "
                f"{after:.1f} GFLOP/s (more than {DRIFT:.0%}): compare within a round only"
            )
    measured = [row for row in rows if row["kind"] == "measured" and row["interval"]]
    noisy = [row for row in measured if interval_width(row) > WIDEST]
    if noisy:
        widest = max(noisy, key=interval_width)
        yield (
            f"{len(noisy)} of {len(measured)} intervals are wider than {WIDEST:.0%} of their "
            f"median, the widest is {_name(widest)} with {interval_width(widest):.0%}: smaller "
            "differences say nothing; measure again on a quiet machine"
        )


def interval_width(row: Row) -> float:
    """Of the row's interval, as a share of its median."""
    low, high = row["interval"]
    return (high - low) / row["median"] if row["median"] else 0.0


def _name(row: Row) -> str:
    columns = ("model", "input", "engine", "level", "kernel", "process")
    return " ".join(str(row[name]) for name in columns if row.get(name))
