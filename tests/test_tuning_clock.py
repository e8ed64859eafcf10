"""A board's clock is read by a small kernel, and may not be far from what it usually is."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from compile.tuning.clock import (
    SAMPLES,
    Clock,
    ClockDriftError,
    Reading,
    calibration_kernel,
    reading_s,
)
from deploy_rpc.cores import CORES, Core


def read(clock: Clock, seconds: float, khz: str = "") -> Reading:
    calibration = SimpleNamespace(time_s=lambda name, calls: seconds)
    return clock.read(board(khz), calibration)


def board(khz: str = "") -> SimpleNamespace:
    return SimpleNamespace(spec="local", board_file=lambda name: khz)


def test_a_clock_may_waver() -> None:
    clock = Clock(0.1)
    for seconds in (1.0, 1.09, 0.99):
        clock.require_steady(board(), read(clock, seconds))
    assert clock.usual.seconds == 0.99


def test_what_was_timed_before_the_clock_rose_does_not_count() -> None:
    clock = Clock(0.1)
    before = read(clock, 1.0, "600000")
    clock.require_steady(board(), before)
    after = read(clock, 0.8, "1800000")
    with pytest.raises(ClockDriftError, match="25% slower than it can be, 600000 kHz and not 180"):
        clock.require_steady(board(), before, after)
    clock.require_steady(board(), after, read(clock, 0.87))


def test_a_clock_that_falls_is_told_with_what_the_board_says() -> None:
    clock = Clock(0.1)
    read(clock, 1.0, "1800000")
    with pytest.raises(ClockDriftError, match=r"50% slower.*, 1200000 kHz and not 1800000 kHz"):
        clock.require_steady(board(), read(clock, 1.5, "1200000"))
    with pytest.raises(ClockDriftError, match="50% slower than it can be; at most 10%"):
        clock.require_steady(board(), read(clock, 1.5))


def test_single_readings_that_are_faster_are_exceptions() -> None:
    clock = Clock(0.1)
    for _ in range(38):
        read(clock, 1.0)
    fast = read(clock, 0.8)
    with pytest.raises(ClockDriftError, match="25% faster than it mostly is; at most 10%"):
        clock.require_steady(board(), read(clock, 1.0), fast)
    clock.require_steady(board(), read(clock, 1.05), read(clock, 0.95))


def test_a_clock_that_rose_for_good_is_the_usual_one_soon() -> None:
    clock = Clock(0.1)
    for _ in range(38):
        read(clock, 1.0)
    for _ in range(3):
        fast = read(clock, 0.8)
    clock.require_steady(board(), fast)
    with pytest.raises(ClockDriftError, match="25% slower than it can be"):
        clock.require_steady(board(), read(clock, 1.0))


def test_a_reading_is_the_least_of_its_samples() -> None:
    times = iter([2e-5, *[3e-5] * (SAMPLES - 1), 1e-5])
    called: list[int] = []

    def time_s(calls: int) -> float:
        called.append(calls)
        return next(times)

    assert reading_s(time_s) == 1e-5
    assert called == [1, *[50] * SAMPLES]


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_the_kernel_fits_into_every_first_cache(core: Core) -> None:
    buffers = calibration_kernel(core).kernel().params
    values = sum(math.prod(int(extent) for extent in buffer.shape) for buffer in buffers)
    assert 4 * values <= core.l1d_kib * 1024
