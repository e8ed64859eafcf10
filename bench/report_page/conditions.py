"""Under what conditions figures were taken, in words, and why one may doubt them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.columns import IDENTITY, split_columns
from bench.report_page.numbers import percent
from bench.reports import Report
from bench.rows import ENGINE, Row
from bench.units import FASTER, HIGHER, WORDS

NOISY_SPREAD = 0.1  # interquartile range over median
SAID_OTHERWISE = ("suite", "kind", "unit", "threads", "core")


def conditions(report: Report, rows: Sequence[Row]) -> str:
    """What holds for all of `rows`: machine or model, count of samples, date, revision, command."""
    context, first = report.context, rows[0]
    where = (
        f"Modelled, not measured: cycles of the core {first.get('core')}"
        if first["kind"] == "modelled"
        else f"Measured on {context.get('cpu', 'a machine without a name')}"
    )
    same, _ = split_columns(rows, (name for name in IDENTITY if name not in SAID_OTHERWISE))
    parts = (
        where,
        ", ".join(f"{name} {value}" for name, value in same.items()),
        _threads(rows),
        _samples(rows),
        str(context.get("short_form", "")),
        _weights(report, rows),
        f"{str(context.get('date', 'no date'))[:10]}, revision {context.get('revision', '?')}",
        f"made by {context['command']}" if "command" in context else "",
    )
    return "; ".join(part for part in parts if part) + "."


def not_measured(report: Report, rows: Sequence[Row]) -> list[str]:
    """The engines that the run could not compare with, where `rows` compare engines."""
    missing = report.context.get("not_measured") or {}
    if not missing or all(row["engine"] == ENGINE for row in rows):
        return []
    return ["Not measured: " + "; ".join(f"{name} ({why})" for name, why in missing.items()) + "."]


def warnings(report: Report) -> Iterator[str]:
    """Why the figures of `report` may be off; a run's own warnings, where it made them.

    A sentence each, what to make of it behind a colon.
    """
    context = report.context
    yield from context.get("warnings", ())
    revisions = {str(each.get("revision", "")) for each in (context, *report.rows)}
    if any(each.endswith("-dirty") for each in revisions):
        yield "made from uncommitted changes: nobody else can run it again"
    measured = [row for row in report.rows if row["kind"] == "measured" and _is_of_the_clock(row)]
    load, cores = context.get("load_before", 0), context.get("cores") or 1
    if measured and load > cores:
        yield f"the machine was busy, load {load:g} on {cores} cores when the run began"
    scattered = [spread(row) for row in measured if spread(row) > NOISY_SPREAD]
    if scattered and "warnings" not in context:
        yield (
            f"{len(scattered)} of {len(measured)} measured rows scatter: the middle half of their "
            f"samples spans more than {NOISY_SPREAD:.0%} of the median, {percent(max(scattered))} "
            "in the worst of them"
        )


def spread(row: Row) -> float:
    """Interquartile range of the samples, to their median; 0 of a single sample."""
    low, high = np.percentile(row["samples"], (25, 75))
    return float((high - low) / abs(row["median"])) if row["median"] else 0.0


def _is_of_the_clock(row: Row) -> bool:
    """Whether a busy machine changes it: times and rates, no bytes, and no errors, which are each
    of another input and scatter by themselves."""
    return WORDS.get(row["unit"], FASTER) in (FASTER, HIGHER)


def _threads(rows: Sequence[Row]) -> str:
    counts = sorted({row["threads"] for row in rows if row.get("threads")})
    return f"{_range(counts)} thread{'s' if counts[-1] > 1 else ''}" if counts else ""


def _samples(rows: Sequence[Row]) -> str:
    counts = sorted({len(row["samples"]) for row in rows})
    return "" if counts == [1] else f"median of {_range(counts)} samples"


def _weights(report: Report, rows: Sequence[Row]) -> str:
    """The hash of the weights, of rows of one network."""
    weights = report.context.get("weights") or {}
    hashes = {weights.get(row.get("model")) for row in rows} - {None}
    return f"weights {hashes.pop()}" if len(hashes) == 1 else ""


def _range(counts: Sequence[int]) -> str:
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
