"""One board at which candidates are tried: connected when needed, its answers and clock checked.

A candidate's answer is checked on the board before its time counts; one that is wrong is the
board's fault where the board has the default tile wrong as well.

A time is the median of `SAMPLES` means over calls that last `SAMPLE_S` together, after one untimed
call. All samples are recorded, and the median leaves outliers without weight. Caches are not
flushed: tensors are in them as they are inside a network, where the best candidates are tried
again (`judge.py`). What was timed while the clock was slower than `Clock` allows is discarded, and
timed again after a pause, each twice the one before, `CLOCK_TRIES` times at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from compile.schedules.templates import Made
from compile.tuning.builder import Builder, Built
from compile.tuning.candidate import KERNEL, Examined, difference, most_error, wrong_answer
from compile.tuning.clock import MOST_DRIFT, Clock, ClockDriftError
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.session import Session, open_session
from deploy_rpc.session_kernels import LoadedKernels

SAMPLES = 9
SAMPLE_S = 2e-3
CLOCK_TRIES = 5
# Before a time that the clock spoiled is taken again, or the cooldown where that is longer; twice
# as long before each further try. With pauses of a second each a search on a Xeon that others share
# ended after 45 trials (2026-11-27).
PAUSE_S = 1.0


@dataclass(frozen=True)
class BoardLimits:
    """Of every wait on a board, between batches to cool, and how much slower its clock may get."""

    timeout_s: float = 60
    cooldown_s: float = 0
    most_drift: float = MOST_DRIFT


class OneBoard:
    """Board `number` of those at `spec`; `failures` are those in a row, by whoever counts them."""

    def __init__(
        self,
        number: int,
        spec: BoardSpec,
        limits: BoardLimits,
        builder: Builder,
        say: Callable[[str], None],
    ) -> None:
        self.number, self.failures = number, 0
        self._spec, self._limits, self._builder, self._say = spec, limits, builder, say
        self._clock = Clock(limits.most_drift)
        self._session: Session | None = None
        self._calibration: LoadedKernels | None = None
        self._open = ExitStack()

    def close(self) -> None:
        """Ends the session; the next candidate opens another one."""
        self._session = None
        self._open.close()

    def examine(self, made: Made, tile: Any, candidate: Built) -> Examined:  # noqa: ANN401
        """What `candidate`, `made` with `tile`, is worth here; raises `BoardError`."""
        session = self._session or self._connect()
        tensors = {KERNEL: candidate.tensors}
        loaded = session.load_kernels(candidate.library, tensors, threads=candidate.threads)
        inputs, answer = candidate.values()
        error = difference(loaded.run(KERNEL, inputs), answer)
        if error <= most_error(made):
            return Examined("ok", tuple(self._steady_samples(session, loaded)))
        self._require_right_default(made, tile)
        return wrong_answer(error)

    def _connect(self) -> Session:
        session = self._open.enter_context(
            open_session(self._spec, timeout_s=self._limits.timeout_s)
        )
        kernel = self._builder.calibration()
        self._calibration = session.load_kernels(kernel.library, {KERNEL: kernel.tensors})
        self._session = session
        return session

    def _require_right_default(self, made: Made, tile: Any) -> None:  # noqa: ANN401
        """Raises `BoardError` where the board has the default tile wrong, too."""
        default = self._builder.build(made, made.tile) if tile != made.tile else None
        if default is None or self.examine(made, made.tile, default).outcome != "ok":
            raise BoardError(f"{self._spec}: wrong numbers from a kernel that is right elsewhere")

    def _steady_samples(self, session: Session, loaded: LoadedKernels) -> list[float]:
        """Times that were taken at one clock; raises `ClockDriftError` where there are none."""
        pause_s = max(PAUSE_S, self._limits.cooldown_s)
        for tries_left in reversed(range(CLOCK_TRIES)):
            try:
                before = self._clock.read(session, self._calibration)
                self._clock.require_steady(session, before)
                samples = _samples(loaded)
                after = self._clock.read(session, self._calibration)
                self._clock.require_steady(session, before, after)
            except ClockDriftError as error:
                if not tries_left:
                    raise
                self._say(f"board {self.number}: a candidate is timed again: {error}")
                time.sleep(pause_s)
                pause_s *= 2
            else:
                break
        return samples


def _samples(loaded: LoadedKernels) -> list[float]:
    """Seconds of one call, `SAMPLES` times."""
    once = max(loaded.time_s(KERNEL, calls=1), 1e-9)
    calls = max(1, round(SAMPLE_S / once))
    return [loaded.time_s(KERNEL, calls=calls) for _ in range(SAMPLES)]
