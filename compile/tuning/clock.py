"""Whether a board kept its clock while a candidate was timed.

A small kernel, in the L1 cache, is timed before and after each candidate; the least of a few
samples is what other work on the board disturbs least. It decides, and not the frequency that a
board tells: that is one of its first core, which on big.LITTLE systems is not one that we time.
The frequency is said beside it where it can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    """The clock of one board over all its sessions; a drift is a share of its fastest reading."""

    most_drift: float
    fastest: Reading = Reading(float("inf"), "")

    def read(self, session: Session, calibration: LoadedKernels) -> Reading:
        """The clock now."""
        seconds = reading_s(lambda calls: calibration.time_s(KERNEL, calls=calls))
        reading = Reading(seconds, session.board_file("frequency"))
        self.fastest = min(self.fastest, reading, key=lambda each: each.seconds)
        return reading

    def require_steady(self, session: Session, *readings: Reading) -> None:
        """Raises `ClockDriftError` where one of `readings` is slower than the fastest of all.

        That may have come after it: what was timed before the clock rose counts no more.
        """
        slowest = max(readings, key=lambda each: each.seconds)
        drift = slowest.seconds / self.fastest.seconds - 1
        if drift > self.most_drift:
            khz, most_khz = slowest.khz, self.fastest.khz
            told = f", {khz} kHz and not {most_khz} kHz" if khz else ""
            raise ClockDriftError(
                f"{session.spec}: its clock is {drift:.0%} slower than it can be{told}; at most "
                f"{self.most_drift:.0%} counts: give it time with --cooldown, fix its governor, or "
                "end its other work"
            )


def reading_s(time_s: Callable[[int], float]) -> float:
    """The least of `SAMPLES` times of one call, each the mean of calls that last `SAMPLE_S`."""
    calls = max(1, round(SAMPLE_S / max(time_s(1), 1e-9)))
    return min(time_s(calls) for _ in range(SAMPLES))
