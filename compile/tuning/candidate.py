"""One candidate, examined in a worker: right answers first, then modelled cycles.

The answers are those of the same PrimFunc on this machine, against the default tile's; of int8
those of the very program whose cycles are counted, against whole numbers (`integers.py`). A network
that takes the decision is verified as a whole when it is built.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import tirx

from compile.price_kernel import KernelPriceError, kernel_program, price_kernel
from compile.schedules.int8_lanes import dots_of
from compile.schedules.packing import WEIGHTS, indices_of
from compile.schedules.precision import dtype_of
from compile.schedules.templates import TEMPLATES, Made
from compile.targets import CompileTarget, host_target, parse_target
from compile.tuning.integers import (
    drawn_integers,
    emulated_answers,
    of_integers,
    right_integers,
    tried_values,
)
from deploy_rpc.block_counts import CountError
from deploy_rpc.block_prices import PriceError
from deploy_rpc.cores import Core, find_core
from deploy_rpc.cycles import CycleReport, modelled_cycles
from deploy_rpc.emulated_program import ProgramError
from deploy_rpc.host import host_core

KERNEL = "kernel"  # a candidate's name in its library
BUILD_ERRORS = (RuntimeError, ValueError, TypeError)  # TVM has no class of its own
PRICE_ERRORS = (KernelPriceError, ProgramError, CountError, PriceError)  # of this candidate alone
# No checks of arguments, a third of the code and of LLVM's time: a candidate is called with tensors
# made here for its own buffers, and what a build ships is compiled elsewhere.
UNCHECKED = {"tirx.disable_assert": True}
ODD = np.array([np.nan, np.inf, 1e-42, 0.0, -0.0], np.float32)
MOST_ERROR = 1e-5  # of the range of the right answer
MOST_HALF_ERROR = 1e-2  # with float16, where tiles that add in another order are that far apart


@dataclass(frozen=True)
class Examined:
    """`outcome`, samples and counters as in a record; `reason` is of one that is not ok."""

    outcome: str
    samples: tuple[float, ...] = ()
    counters: dict[str, int] = dataclasses.field(default_factory=dict)
    reason: str = ""

    @property
    def cost(self) -> float:
        """The median sample; infinite where there is none."""
        return statistics.median(self.samples) if self.samples else float("inf")


def does_not_build(failure: Exception) -> Examined:
    """The outcome of a candidate that TVM refuses, or of which no program runs or has a price."""
    return Examined("does not build", reason=str(failure).partition("\n")[0])


def wrong_answer(error: float) -> Examined:
    """The outcome of a candidate that is `error` of the range away."""
    return Examined("wrong answer", reason=f"{error:.1e} of the range away")


def with_tile(made: Made, tile: Any) -> Made:  # noqa: ANN401 (any template's tile)
    """The candidate of `tile`."""
    return dataclasses.replace(made, tile=tile)


def examine_candidate(made: Made, tile: Any, target: str, core: str) -> Examined:  # noqa: ANN401
    """What `made` with `tile`, built for the target of that text, is worth on modelled `core`."""
    candidate = with_tile(made, tile)
    if of_integers(made):
        return _examine_integers(candidate, made, parse_target(target), find_core(core))
    try:
        error = error_of(candidate, made)
        if error > most_error(made):
            return wrong_answer(error)
        return _priced(price_kernel(candidate.kernel(), parse_target(target), find_core(core)))
    except (*BUILD_ERRORS, *PRICE_ERRORS) as failure:
        return does_not_build(failure)


def _examine_integers(candidate: Made, made: Made, target: CompileTarget, core: Core) -> Examined:
    """The same of int8: one program answers, and then is priced."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "kernel"
        try:
            sizes = kernel_program(candidate.kernel(), target, program)
            answers = emulated_answers(program, sizes, candidate, core)
            error = largest_difference(answers, right_integers(made))
            return wrong_answer(error) if error else _priced(modelled_cycles(program, sizes, core))
        except (*BUILD_ERRORS, *PRICE_ERRORS) as failure:
            return does_not_build(failure)


def _priced(report: CycleReport) -> Examined:
    misses = {"l1_misses": report.l1_misses, "l2_misses": report.l2_misses}
    return Examined("ok", (report.cycles,), misses)


def most_error(made: Made) -> float:
    """How far the answers of a right tile may be from those of `made`: of int8 not at all."""
    if of_integers(made):
        return 0.0
    return MOST_HALF_ERROR if dtype_of(made.workload) == "float16" else MOST_ERROR


def error_of(candidate: Made, made: Made) -> float:
    """How far the answers of `candidate` are from those of `made`, on this machine."""
    return largest_difference(answers_of(candidate), _right_answers(made))


def error_in_integers(candidate: Made, made: Made, core: Core) -> float:
    """How far the answers of `candidate`, of int8 for `core`, are from those that `made` has to
    give: on this machine where it has the same products, else under QEMU.

    Raises `TargetError` where `core` is none of the table, and `ProgramError`.
    """
    here = host_core()
    if core.isa == here.isa and dots_of(core) == dots_of(here):
        answers = _answers_here(candidate.kernel(), tried_values(candidate))
    else:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "kernel"
            sizes = kernel_program(candidate.kernel(), parse_target(core.name), program)
            answers = emulated_answers(program, sizes, candidate, core)
    return largest_difference(answers, right_integers(made))


def answers_of(made: Made) -> list[np.ndarray]:
    """The outputs of `made` on this machine for `inputs_of` it, and for odd ones.

    Those are the same with NaN, infinity, a denormal and zeros among them.
    """
    inputs = inputs_of(made)
    return _answers_here(made.kernel(), [inputs, with_odd_values(inputs)])


def largest_difference(answers: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """The largest `difference` of `answers`, each from the right one."""
    return max(difference(*pair) for pair in zip(answers, expected, strict=True))


def difference(answer: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of two answers, of the range of the right one.

    NaN and infinity are at the same places in both, or infinitely wrong.
    """
    answer, expected = answer.astype(np.float32), expected.astype(np.float32)
    there = np.isfinite(expected)
    odd = answer[~there], expected[~there]
    if (np.isfinite(answer) != there).any() or not np.array_equal(*odd, equal_nan=True):
        return float("inf")
    if not there.any():
        return 0.0
    largest = np.abs(answer[there] - expected[there]).max()
    return float(largest / max(np.ptp(expected[there]), np.finfo(np.float32).tiny))


def answer_of(made: Made) -> np.ndarray:
    """What `made` has to give for `inputs_of` it: in whole numbers, or what it does here."""
    return (right_integers if of_integers(made) else _right_answers)(made)[0]


def answer_here(kernel: tirx.PrimFunc, values: Sequence[np.ndarray]) -> np.ndarray:
    """The last buffer of `kernel`, which is its output, after a call with `values` here."""
    return _answers_here(kernel, [values])[0]


def drawn_value(number: int, shape: Sequence[int], dtype: str = "float32") -> np.ndarray:
    """Normally distributed values of a kernel's buffer `number`, the same ones every time."""
    return np.random.default_rng(number).standard_normal(shape).astype(dtype)


def inputs_of(made: Made) -> list[np.ndarray]:
    """Values for all buffers of the kernel, the output last; they depend on the workload alone.

    Not on the tile, which pads the weights or packs some of them twice: each buffer is drawn for
    itself, and weights are drawn before they are packed.
    """
    if of_integers(made):
        return drawn_integers(made)
    tensors = [
        drawn_value(number, [int(n) for n in buffer.shape], str(buffer.dtype))
        for number, buffer in enumerate(made.kernel().params)
    ]
    if TEMPLATES[made.template].pack_weights and len(tensors) > 2:
        dtype = str(tensors[WEIGHTS].dtype)
        weights = drawn_value(WEIGHTS, indices_of(made.workload).shape, dtype)
        tensors[WEIGHTS] = np.ascontiguousarray(made.packed(weights))
    return tensors


def with_odd_values(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The inputs of a kernel with `ODD` values somewhere in the first one; one infinity, so that no
    order of a sum makes NaN of it."""
    first = inputs[0].copy()
    places = np.random.default_rng(0).permutation(first.size)[: len(ODD)]
    first.flat[places] = ODD[: len(places)]
    return [first, *inputs[1:]]


@functools.lru_cache(maxsize=8)
def _right_answers(made: Made) -> list[np.ndarray]:
    return answers_of(made)


def _answers_here(kernel: tirx.PrimFunc, each: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    special = any(value.dtype in (np.float16, np.int8) for value in each[0])
    target = host_target().tvm if special else "llvm"  # which has no conversions, no pairs
    with tvm.transform.PassContext(config=UNCHECKED):
        compiled = tvm.compile(kernel.with_attr("global_symbol", "main"), target=target)
    answers = []
    for values in each:
        placed = [tvm.runtime.tensor(value) for value in values]
        compiled["main"](*placed)
        answers.append(placed[-1].numpy())
    return answers
