"""MetaSchedule's random schedules are different ones, the same every time, and compute the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tvm

from bench import model_check_search
from bench.model_check_search import SearchSpaceError, random_schedules

IMAGE, KERNEL = (4, 6, 6), (4, 2, 3)  # two groups


def test_every_schedule_computes_the_convolution() -> None:
    random = np.random.default_rng(0)
    x, w = (
        random.standard_normal(shape).astype("float32") for shape in ((1, 4, 6, 6), (4, 2, 3, 3))
    )
    results = []
    for _, _, function in random_schedules(IMAGE, KERNEL, 3):
        y = tvm.runtime.empty((1, 4, 6, 6), "float32")
        tvm.compile(function, target="llvm")["main"](
            tvm.runtime.tensor(x), tvm.runtime.tensor(w), y
        )
        results.append(y.numpy())
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.zeros_like(results[0])
    for channel, row, column in itertools.product(range(4), range(6), range(6)):
        first = channel // 2 * 2
        window = padded[0, first : first + 2, row : row + 3, column : column + 3]
        expected[0, channel, row, column] = (window * w[channel]).sum()
    for result in results:
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)  # other orders of adding


def test_the_draw_is_the_same_every_time_and_without_repetition() -> None:
    first, again = ([seed_and[:2] for seed_and in random_schedules(IMAGE, KERNEL, 8)] for _ in "ab")
    assert first == again
    assert len({str(decisions) for _, decisions in first}) == 8


def test_a_space_that_is_too_small_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_check_search, "TRIES", 1)
    with pytest.raises(SearchSpaceError, match=r"only \d+ different schedules by 30 seeds"):
        list(random_schedules((1, 1, 1), (1, 1, 1), 30))
