"""The two forms in which a library holds a network, run and timed the same way.

Made and called in a session's thread only; the tensors live on the board, near or far.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np
import tvm
from tvm import relax

from deploy_rpc.board_spec import BoardError
from deploy_rpc.session_kernels import Shapes


class Program(Protocol):
    """What a loaded module can do."""

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """The outputs for `x`."""

    def time_s(self, x: np.ndarray, repeats: int, runs: int) -> Sequence[float]:
        """Seconds of one run on the board, the mean of `runs` in a row, for each of `repeats`."""


class VmProgram:
    """A Relax VM executable with `main(x)`, which returns a tensor or a tuple of them."""

    def __init__(
        self, module: tvm.runtime.Module, device: tvm.runtime.Device, output_shapes: Shapes
    ) -> None:
        self._vm = relax.VirtualMachine(module, device)
        self._device = device
        self._output_shapes = [tuple(shape) for shape in output_shapes]

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """The outputs for `x`; raises `BoardError` where they have not the shapes promised."""
        self._vm.set_input("main", tvm.runtime.tensor(x, self._device))
        self._vm.invoke_stateful("main")
        outputs = [output.numpy() for output in self._outputs()]
        shapes = [y.shape for y in outputs]
        if shapes != self._output_shapes:
            raise BoardError(
                f"expected outputs of {_listed(self._output_shapes)}, got {_listed(shapes)}"
            )
        return outputs

    def time_s(self, x: np.ndarray, repeats: int, runs: int) -> Sequence[float]:
        """Seconds of one run on the board, the mean of `runs` in a row, for each of `repeats`."""
        self._vm.set_input("main", tvm.runtime.tensor(x, self._device))
        timer = self._vm.time_evaluator(
            "invoke_stateful", self._device, number=runs, repeat=repeats
        )
        return timer("main").results

    def _outputs(self) -> list[tvm.runtime.Tensor]:
        """As `VirtualMachine.get_outputs`, whose closure is a cycle that keeps the VM, and with it
        the connection to the board, until the garbage collector comes by."""
        get_output = self._vm.module["get_output"]
        fields = self._vm.module["get_output_arity"]("main")  # -1: no tuple
        if fields == -1:
            return [get_output("main")]
        return [get_output("main", index) for index in range(fields)]


class PlainProgram:
    """A packed function `main(x, y, ...)` on preallocated tensors, with no VM behind it.

    It frees nothing on the board while it lives (see `session.py`).
    """

    def __init__(
        self, module: tvm.runtime.Module, device: tvm.runtime.Device, output_shapes: Shapes
    ) -> None:
        self._function = functools.cache(module.__getitem__)
        self._timer = functools.cache(partial(module.time_evaluator, dev=device))
        self._empty = functools.cache(partial(tvm.runtime.empty, device=device))
        self._outputs = [
            tvm.runtime.empty(tuple(shape), "float32", device) for shape in output_shapes
        ]

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """The outputs for `x`."""
        self._function("main")(self._input(x), *self._outputs)
        return [output.numpy() for output in self._outputs]

    def time_s(self, x: np.ndarray, repeats: int, runs: int) -> Sequence[float]:
        """Seconds of one run on the board, the mean of `runs` in a row, for each of `repeats`."""
        timer = self._timer("main", number=runs, repeat=repeats)
        return timer(self._input(x), *self._outputs).results

    def _input(self, x: np.ndarray) -> tvm.runtime.Tensor:
        return self._empty(x.shape, str(x.dtype)).copyfrom(x)


def _listed(shapes: Shapes) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
