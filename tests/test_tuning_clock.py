"""A board's clock is read by a small kernel, and may not fall far below its fastest reading."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from compile.tuning.clock import SAMPLES, Clock, ClockDriftError, calibration_kernel, reading_s
from deploy_rpc.cores import CORES, Core


def read(clock: Clock, seconds: float, khz: str = "") -> None:
    session = SimpleNamespace(spec="local", board_file=lambda name: khz)
    clock.require_steady(session, SimpleNamespace(time_s=lambda name, calls: seconds))


def test_a_clock_may_rise_and_waver() -> None:
    clock = Clock(0.1)
    for seconds in (1.0, 1.09, 0.8, 0.87):
        read(clock, seconds)
    assert clock.fastest_s == 0.8


def test_a_clock_that_falls_is_told_with_what_the_board_says() -> None:
    clock = Clock(0.1)
    read(clock, 1.0, "1800000")
    with pytest.raises(ClockDriftError, match=r"50% slower.*1800000 kHz then and 1200000 kHz now"):
        read(clock, 1.5, "1200000")
    with pytest.raises(ClockDriftError, match="50% slower than it was; at most 10%"):
        read(clock, 1.5)


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
