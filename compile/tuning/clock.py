"""Whether a board kept its clock while a candidate was timed.

A small kernel, in the L1 cache, is timed before and after each candidate; the least of a few
samples is what other work on the board disturbs least. It decides, and not the frequency that a
board tells: that is one of its first core, which on big.LITTLE systems is not one that we time.
The frequency is said beside it where it can be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Made, made_by_default
from compile.tuning.candidate import KERNEL
from deploy_rpc.board_spec import BoardError
from deploy_rpc.cores import Core
from deploy_rpc.session import Session
from deploy_rpc.session_kernels import LoadedKernels

SAMPLES = 5
SAMPLE_S = 1e-3
MOST_DRIFT = 0.1  # unless --drift says otherwise
EXCEPTIONS = 20


class ClockDriftError(BoardError):
    """A board whose clock was slower than it can be while it measured."""


def calibration_kernel(core: Core) -> Made:
    """The kernel that tells the clock: 64 K multiply-adds over 24 KB, with its default tile."""
    workload = PointwiseWorkload(1, 32, 32, 64, relu=False, shortcut=False)
    return made_by_default(workload, core, 1)


@dataclass(frozen=True)
class Reading:
    """Seconds of the small kernel, and the frequency that the board tells; "" where it does not."""

    seconds: float
    khz: str


@dataclass
class Clock:
    """The clock of one board over all its sessions; a drift is a share of its usual reading."""

    most_drift: float
    readings: list[Reading] = field(default_factory=list)

    @property
    def usual(self) -> Reading:
        """The fastest that is no exception: one reading in `EXCEPTIONS` may be faster.

        A shared Xeon's rose by 25 % for single readings, against which all others were too slow.
        """
        ordered = sorted(self.readings, key=lambda each: each.seconds)
        return ordered[len(ordered) // EXCEPTIONS]

    def read(self, session: Session, calibration: LoadedKernels) -> Reading:
        """The clock now."""
        seconds = reading_s(lambda calls: calibration.time_s(KERNEL, calls=calls))
        self.readings.append(Reading(seconds, session.board_file("frequency")))
        return self.readings[-1]

    def require_steady(self, session: Session, *readings: Reading) -> None:
        """Raises `ClockDriftError` where one of `readings` is slower or faster than the usual one.

        That may have come after it: what was timed before the clock rose counts no more.
        """
        usual = self.usual
        furthest = max(readings, key=lambda each: abs(math.log(each.seconds / usual.seconds)))
        slower, faster = furthest.seconds / usual.seconds - 1, usual.seconds / furthest.seconds - 1
        if max(slower, faster) > self.most_drift:
            drift = f"{slower:.0%} slower than it can be"
            if faster > 0:
                drift = f"{faster:.0%} faster than it mostly is"
            told = f", {furthest.khz} kHz and not {usual.khz} kHz" if furthest.khz else ""
            raise ClockDriftError(
                f"{session.spec}: its clock is {drift}{told}; at most "
                f"{self.most_drift:.0%} counts: give it time with --cooldown, fix its governor, "
                "end its other work, or let more count with --drift"
            )


def reading_s(time_s: Callable[[int], float]) -> float:
    """The least of `SAMPLES` times of one call, each the mean of calls that last `SAMPLE_S`."""
    calls = max(1, round(SAMPLE_S / max(time_s(1), 1e-9)))
    return min(time_s(calls) for _ in range(SAMPLES))
