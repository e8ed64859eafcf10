"""Single kernels on a board: each with tensors of its own there, timed one at a time.

kernels = session.load_kernels(Path("kernels.so"), {"relu": [KernelTensor((1, 24, 56, 56))] * 2})
seconds = kernels.time_s("relu", calls=100)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import tvm

if TYPE_CHECKING:
    from deploy_rpc.session import Session

Shapes = Sequence[tuple[int, ...]]
MOST_WHOLE = 100  # of the values of whole numbers that a kernel is timed with


@dataclass(frozen=True)
class KernelTensor:
    """What a kernel takes for one of its parameters."""

    shape: tuple[int, ...]
    dtype: str = "float32"


Tensors = Mapping[str, Sequence[KernelTensor]]  # of each kernel, by its name


class KernelProgram:
    """The functions of `module`; made and called in a session's thread only.

    It frees nothing on the board while it lives (see `session.py`).
    """

    def __init__(
        self,
        module: tvm.runtime.Module,
        device: tvm.runtime.Device,
        tensors: Tensors,
    ) -> None:
        self._function = functools.cache(module.__getitem__)
        self._timer = functools.cache(partial(module.time_evaluator, dev=device, repeat=1))
        random = np.random.default_rng(0)
        self._tensors = {
            name: [tvm.runtime.tensor(_values(random, each), device) for each in of_kernel]
            for name, of_kernel in tensors.items()
        }

    def run(self, name: str, values: Sequence[np.ndarray]) -> np.ndarray:
        """One call; `values` are of the first tensors, the output last among them."""
        tensors = self._tensors[name]
        for tensor, value in zip(tensors, values, strict=False):  # scratch comes behind
            tensor.copyfrom(value)
        self._function(name)(*tensors)
        return tensors[len(values) - 1].numpy()

    def time_s(self, name: str, calls: int) -> float:
        """Seconds of one call, the mean of `calls` in a row; an untimed one comes before them."""
        return self._timer(name, number=calls)(*self._tensors[name]).results[0]


class LoadedKernels:
    """A library of kernels on a board; it lives as long as its session."""

    def __init__(self, session: Session, program: KernelProgram, threads: int) -> None:
        self.program: KernelProgram | None = program
        self._session = session
        self._threads = threads

    def run(self, name: str, values: Sequence[np.ndarray]) -> np.ndarray:
        """The output of one call of the kernel `name`, which is the last of the `values`.

        Its tensors keep the values, for `time_s` to time it with. Raises `BoardError`.
        """
        return self._session.call(f"running the kernel {name}", self._run, name, values)

    def _run(self, name: str, values: Sequence[np.ndarray]) -> np.ndarray:
        self._session.set_threads(self._threads)
        return self.program.run(name, values)

    def time_s(self, name: str, *, calls: int) -> float:
        """Seconds of one call of the kernel `name`, by the board's clock, its tensors in cache.

        That is the mean of `calls` in a row, after an untimed one. Raises `BoardError`, also where
        the board has no times worth the name.
        """
        self._session.require_times()
        return self._session.call(f"timing the kernel {name}", self._time_s, name, calls)

    def _time_s(self, name: str, calls: int) -> float:
        self._session.set_threads(self._threads)
        return self.program.time_s(name, calls)


def _values(random: np.random.Generator, tensor: KernelTensor) -> np.ndarray:
    """Near one: no kernel makes NaNs or denormal numbers of them, which would cost time.

    Whole numbers are positive, as those that others are multiplied and shifted by have to be.
    """
    if np.issubdtype(tensor.dtype, np.integer):
        return random.integers(1, MOST_WHOLE + 1, tensor.shape).astype(tensor.dtype)
    return random.uniform(0.5, 1.5, tensor.shape).astype(tensor.dtype)
