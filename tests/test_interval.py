"""The interval of a median holds it as often as it says, and is not invented for few samples."""

from __future__ import annotations

import numpy as np

from bench.interval import CONFIDENCE, LEAST_SAMPLES, median_interval


def test_the_bounds_are_the_order_statistics_of_the_sign_test() -> None:
    assert median_interval([9.0, 1, 8, 2, 7, 3, 6, 4, 5]) == [2, 8]


def test_too_few_samples_have_no_interval() -> None:
    assert median_interval(range(LEAST_SAMPLES - 1)) is None
    assert median_interval(range(LEAST_SAMPLES)) == [0, LEAST_SAMPLES - 1]
    assert median_interval([36.5]) is None  # modelled: not sampled


def test_the_interval_holds_the_true_median_as_often_as_stated() -> None:
    random = np.random.default_rng(0)
    runs = random.exponential(size=(400, 9))  # skewed, as times are
    held = [low <= np.log(2) <= high for low, high in map(median_interval, runs)]
    assert np.mean(held) >= CONFIDENCE - 0.02
