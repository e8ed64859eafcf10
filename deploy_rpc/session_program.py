"""The two forms in which a library holds a network, run and timed the same way.

Made and called in a session's thread only; the tensors live on the board, near or far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tvm
from tvm import relax

from deploy_rpc.board_spec import BoardError


class Program(Protocol):
    """What a loaded module can do."""

    def run(self, x: np.ndarray) -> np.ndarray:
        """The output for `x`."""

    def time_s(self, x: np.ndarray, runs: int) -> Sequence[float]:
        """Seconds of each of `runs` single runs on the board."""


class VmProgram:
    """A Relax VM executable with `main(x) -> y`; `y` may be wrapped in a 1-tuple."""

    def __init__(
        self, module: tvm.runtime.Module, device: tvm.runtime.Device, output_shape: tuple[int, ...]
    ) -> None:
        self._vm = relax.VirtualMachine(module, device)
        self._device = device
        self._output_shape = tuple(output_shape)

    def run(self, x: np.ndarray) -> np.ndarray:
        """The output for `x`; raises `BoardError` where it has not the shape that was promised."""
        self._vm.set_input("main", tvm.runtime.tensor(x, self._device))
        self._vm.invoke_stateful("main")
        y = self._output().numpy()
        if y.shape != self._output_shape:
            raise BoardError(f"expected an output of {self._output_shape}, got {y.shape}")
        return y

    def time_s(self, x: np.ndarray, runs: int) -> Sequence[float]:
        """Seconds of each of `runs` single runs on the board."""
        self._vm.set_input("main", tvm.runtime.tensor(x, self._device))
        timer = self._vm.time_evaluator("invoke_stateful", self._device, number=1, repeat=runs)
        return timer("main").results

    def _output(self) -> tvm.runtime.Tensor:
        """As `VirtualMachine.get_outputs`, whose closure is a cycle that keeps the VM, and with it
        the connection to the board, until the garbage collector comes by."""
        get_output = self._vm.module["get_output"]
        in_tuple = self._vm.module["get_output_arity"]("main") != -1
        return get_output("main", 0) if in_tuple else get_output("main")


class PlainProgram:
    """A packed function `main(x, y)` on preallocated tensors, with no VM behind it."""

    def __init__(
        self, module: tvm.runtime.Module, device: tvm.runtime.Device, output_shape: tuple[int, ...]
    ) -> None:
        self._module = module
        self._device = device
        self._y = tvm.runtime.empty(tuple(output_shape), "float32", device)

    def run(self, x: np.ndarray) -> np.ndarray:
        """The output for `x`."""
        self._module["main"](tvm.runtime.tensor(x, self._device), self._y)
        return self._y.numpy()

    def time_s(self, x: np.ndarray, runs: int) -> Sequence[float]:
        """Seconds of each of `runs` single runs on the board."""
        timer = self._module.time_evaluator("main", self._device, number=1, repeat=runs)
        return timer(tvm.runtime.tensor(x, self._device), self._y).results
