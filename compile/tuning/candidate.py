"""One candidate, examined in a worker: right answers first, then modelled cycles.

The answers are those of the same PrimFunc on this machine, against the default tile's; a network
that takes the decision is verified as a whole when it is built.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm

from compile.passes.take_decisions import indices_of
from compile.price_kernel import price_kernel
from compile.schedules.templates import TEMPLATES, Made
from compile.targets import parse_target
from deploy_rpc.cores import find_core

MOST_ERROR = 1e-5  # of the range of the right answer


@dataclass(frozen=True)
class Examined:
    """`outcome` as in a record; `cycles` and misses are of a right one, `reason` of another."""

    outcome: str
    cycles: float = 0.0
    l1_misses: int = 0
    l2_misses: int = 0
    reason: str = ""


def examine_candidate(made: Made, tile: Any, target: str, core: str) -> Examined:  # noqa: ANN401
    """What `made` with `tile`, built for the target of that text, is worth on `core`."""
    candidate = dataclasses.replace(made, tile=tile)
    try:
        error = error_of(candidate, made)
    except (tvm.error.TVMError, RuntimeError, ValueError) as failure:
        return Examined("does not build", reason=str(failure).splitlines()[0])
    if not error <= MOST_ERROR:
        return Examined("wrong answer", reason=f"{error:.1e} of the range away")
    report = price_kernel(candidate.kernel(), parse_target(target), find_core(core))
    return Examined("ok", report.cycles, report.l1_misses, report.l2_misses)


def error_of(candidate: Made, made: Made) -> float:
    """How far the answers of `candidate` are from those of `made` at most, of their range.

    NaN and infinity are the same in both, or infinitely wrong.
    """
    answer, expected = _run(candidate), _answer(made)
    there = np.isfinite(expected)
    if (np.isfinite(answer) != there).any():
        return float("inf")
    difference = np.abs(answer[there] - expected[there]).max()
    return float(difference / max(np.ptp(expected[there]), np.finfo(np.float32).tiny))


@functools.lru_cache(maxsize=8)
def _answer(made: Made) -> np.ndarray:
    return _run(made)


def _run(made: Made) -> np.ndarray:
    """The kernel's output on this machine, for inputs that depend on the workload alone."""
    kernel = made.kernel()
    random = np.random.default_rng(0)
    tensors = [
        random.standard_normal([int(n) for n in buffer.shape]).astype(np.float32)
        for buffer in kernel.params
    ]
    if TEMPLATES[made.template].pack_weights and len(tensors) > 2:
        shape = indices_of(made.workload).shape
        weights = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
        tensors[1] = made.packed(weights)
    placed = [tvm.runtime.tensor(np.ascontiguousarray(value)) for value in tensors]
    tvm.compile(kernel.with_attr("global_symbol", "main"), target="llvm")["main"](*placed)
    return placed[-1].numpy()
