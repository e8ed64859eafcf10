"""Two reports, judged row by row: what got faster, what slower, and what nobody can say.

A row is paired with the one that is about the same (`IDENTITY`; repetitions in their order), and

    change     of the medians, new over old less one
    interval   of that change, 99 %: scipy.stats.bootstrap, percentiles, 9999 resamples, seeded
    p          of the Mann-Whitney test, two-sided, exact where samples are few and no two equal,
               adjusted for the number of rows: else one in a hundred would differ by chance
               (scipy.stats.false_discovery_control)

    faster, slower   p < 0.01 and an interval without 0
    same             not so, and the interval lies within the threshold on both sides
    undecided        not so: too noisy or too few samples (five on both sides are needed)

Five suffice where all rows changed: their least p, 0.008, is above 0.01 once it is adjusted for a
second row that did not. Of nine it is 0.00004, which finds one kernel among two hundred.

What is deterministic (a modelled row, bytes; one sample each) is compared exactly. `slower` by more
than the threshold is a regression. What is no time has other words for it (`bench/units.py`).
The samples of a run share the state that its machine was in: those of two runs of the same code can
differ by more than they scatter, which only further runs show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.columns import IDENTITY
from bench.reports import Report, ReportError
from bench.rows import Row
from bench.units import WORDS, more_is_better

CONFIDENCE = 0.99
MIN_SAMPLES = 5  # of four and four the Mann-Whitney test cannot say less than p = 0.029
RESAMPLES = 9999
EXACT_UP_TO = 100  # samples on a side: 0.04 s, a minute for 400, where the normal law is as good
SAME, UNDECIDED = "same", "undecided"
ONLY_OLD, ONLY_NEW = "only in old", "only in new"

Key = tuple[object, ...]


@dataclass(frozen=True)
class Comparison:
    """One pair; what cannot be said is None. `interval` and `p_value` are of measured rows."""

    old: Row | None
    new: Row | None
    verdict: str
    change: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    is_regression: bool = False

    @property
    def row(self) -> Row:
        """The new row, or the old one where there is no new one."""
        return self.new or self.old


def compare(old: Report, new: Report, threshold: float) -> list[Comparison]:
    """Every row of `old` and `new`, in the order of `new`, what is gone last.

    Raises `ReportError` where the reports have no row in common, or one in an unknown unit.
    """
    before, after = _by_key(old.rows), _by_key(new.rows)
    if not before.keys() & after.keys():
        raise ReportError(
            f"{old.name} and {new.name} have no row in common: expected the same suite, model, "
            "input, target, core, threads, kind and unit in both"
        )
    adjusted = p_values({k: (before[k], row) for k, row in after.items() if k in before})
    pairs = [
        judge(before[key], row, threshold, adjusted.get(key))
        if key in before
        else Comparison(None, row, ONLY_NEW)
        for key, row in after.items()
    ]
    gone = [Comparison(row, None, ONLY_OLD) for key, row in before.items() if key not in after]
    return pairs + gone


def judge(old: Row, new: Row, threshold: float, p_value: float | None = None) -> Comparison:
    """The verdict over two rows that are about the same; `p_value` is theirs among many pairs.

    Raises `ReportError` for a unit of which nobody knows whether more of it is better.
    """
    if not old["median"]:
        return Comparison(old, new, SAME if old["samples"] == new["samples"] else UNDECIDED)
    change = new["median"] / old["median"] - 1
    better, worse = _words(new)
    improves = (change > 0) == more_is_better(new["unit"])
    direction = better if improves else worse
    is_regression = not improves and abs(change) > threshold
    if _is_exact(old) and _is_exact(new):
        verdict = direction if change else SAME
        return Comparison(old, new, verdict, change, is_regression=is_regression)
    if not _is_testable(old, new):
        return Comparison(old, new, UNDECIDED, change)
    interval = _interval(old["samples"], new["samples"])
    p_value = _p_value(old, new) if p_value is None else p_value
    low, high = interval
    if p_value < 1 - CONFIDENCE and not low <= 0 <= high:
        return Comparison(old, new, direction, change, interval, p_value, is_regression)
    verdict = SAME if -threshold <= low and high <= threshold else UNDECIDED
    return Comparison(old, new, verdict, change, interval, p_value)


def p_values(pairs: Mapping[Key, tuple[Row, Row]]) -> dict[Key, float]:
    """Of all `pairs` that have samples enough, adjusted for their number (Benjamini-Hochberg)."""
    each = {key: _p_value(*pair) for key, pair in pairs.items() if _is_testable(*pair)}
    if not each:
        return {}
    adjusted = stats.false_discovery_control(list(each.values()))
    return dict(zip(each, map(float, adjusted), strict=True))


def context_warnings(old: Report, new: Report) -> Iterator[str]:
    """Why the two reports may not be comparable, in words."""
    measured = any(row["kind"] == "measured" for row in (*old.rows, *new.rows))
    for name in ("cpu", "cores", "governor") if measured else ():
        before, after = old.context.get(name), new.context.get(name)
        if before != after:
            yield f"other {name}: {before!r} in old, {after!r} in new; the times do not compare"
    for which, report in (("old", old), ("new", new)) if measured else ():
        load, cores = report.context.get("load_before", 0), report.context.get("cores") or 1
        if load > cores:
            yield f"{which} was measured under load: {load:g} on {cores} cores when it began"
        for warning in report.context.get("warnings", ()):
            yield f"{which} warns: {warning}"
    before, after = _versions(old), _versions(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"other {name}: {before.get(name)} in old, {after.get(name)} in new"


def _versions(report: Report) -> Mapping[str, str]:
    """Of the compiler, and of the engines that stand beside ours."""
    return (report.context.get("versions") or {}) | (report.context.get("engines") or {})


def _by_key(rows: Sequence[Row]) -> dict[Key, Row]:
    """By what they are about, and by number among those that are about the same."""
    found: dict[Key, Row] = {}
    seen: dict[Key, int] = {}
    for row in rows:
        key = _about(row)
        found[(*key, seen.get(key, 0))] = row
        seen[key] = seen.get(key, 0) + 1
    return found


def _about(row: Row) -> Key:
    """A kernel's number changes with the graph; one of other MACs is not the same kernel."""
    macs = row.get("macs") if row.get("kernel") else None
    values = (row.get(name) for name in IDENTITY)
    return (*(tuple(value) if isinstance(value, list) else value for value in values), macs)


def _words(row: Row) -> tuple[str, str]:
    if row["unit"] not in WORDS:
        raise ReportError(
            f"a row of suite {row['suite']} is in {row['unit']!r}, a unit that nobody knows to be "
            f"better or worse; known are {', '.join(WORDS)}: add it to bench/units.py"
        )
    return WORDS[row["unit"]]


def _is_exact(row: Row) -> bool:
    return len(row["samples"]) == 1 and (row["kind"] == "modelled" or row["unit"] == "bytes")


def _is_testable(old: Row, new: Row) -> bool:
    return min(len(old["samples"]), len(new["samples"])) >= MIN_SAMPLES


def _interval(old: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    found = stats.bootstrap(
        (old, new),
        lambda a, b, axis: np.median(b, axis=axis) / np.median(a, axis=axis) - 1,
        vectorized=True,
        method="percentile",
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def _p_value(old: Row, new: Row) -> float:
    sides = old["samples"], new["samples"]
    different = len({*sides[0], *sides[1]})
    if different == 1:
        return 1.0  # all the same: the test's variance would be nought
    are_tied = different < sum(map(len, sides))
    method = "asymptotic" if are_tied or max(map(len, sides)) > EXACT_UP_TO else "exact"
    return float(stats.mannwhitneyu(*sides, method=method).pvalue)
