"""How sure a median is: its confidence interval, without an assumption on how times are spread.

The bounds are samples: with n of them, the number that lie below the true median is binomial
(n, 1/2), whatever the distribution (the quantile test; `scipy.stats.quantile_test`).
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import quantile_test

CONFIDENCE = 0.95
METHOD = "95 % confidence interval of the median by order statistics (scipy.stats.quantile_test)"
LEAST_SAMPLES = 6  # of fewer, the smallest and the largest do not hold the median that surely


def median_interval(samples: Sequence[float]) -> list[float] | None:
    """The interval as [low, high]; None of too few samples, or of one that was not sampled."""
    if len(samples) < LEAST_SAMPLES:
        return None
    interval = quantile_test(samples, p=0.5).confidence_interval(CONFIDENCE)
    return [float(interval.low), float(interval.high)]
