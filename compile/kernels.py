"""The kernels of a lowered module: what each computes, how often it runs, its MACs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax, tirx

from compile.schedules.blocks import multiply_accumulates
from deploy_rpc.session_kernels import KernelTensor


@dataclass(frozen=True)
class Kernel:
    """One PrimFunc. `shapes` and `dtypes` are its buffers' in order, the output last; `macs` is of
    one call.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    calls: int
    macs: int
    source: str

    @property
    def workload(self) -> str:
        """The shapes as text: `1x24x56x56, 60x24x1x1 -> 1x60x56x56`."""
        *inputs, output = ("x".join(map(str, shape)) or "scalar" for shape in self.shapes)
        return f"{', '.join(inputs)} -> {output}"

    @property
    def bytes(self) -> int:
        """Bytes of all buffers of one call, each counted once."""
        sizes = (np.dtype(dtype).itemsize for dtype in self.dtypes)
        return sum(s * math.prod(shape) for s, shape in zip(sizes, self.shapes, strict=True))


def list_kernels(module: tvm.IRModule, source: str) -> list[Kernel]:
    """The unscheduled kernels that `main` calls, in the order of their first call."""
    calls: Counter[tvm.ir.GlobalVar] = Counter()
    calling = [tvm.ir.Op.get(f"relax.{name}") for name in ("call_tir", "call_tir_inplace")]

    def count(node: relax.Expr) -> None:
        if isinstance(node, tvm.ir.Call) and node.op in calling:
            calls[node.args[0]] += 1

    relax.analysis.post_order_visit(module["main"], count)
    return [
        Kernel(
            name=variable.name_hint,
            shapes=_buffer_shapes(module[variable]),
            dtypes=tuple(str(buffer.dtype) for buffer in module[variable].params),
            calls=count_of_calls,
            macs=_macs(module[variable]),
            source=source,
        )
        for variable, count_of_calls in calls.items()
    ]


def kernel_tensors(
    function: tirx.PrimFunc, scratch: Sequence[tuple[int, ...]] = ()
) -> tuple[KernelTensor, ...]:
    """What `function`, of static shapes, is called with, and its `scratch` of float32 behind."""
    buffers = zip(_buffer_shapes(function), function.params, strict=True)
    given = (KernelTensor(shape, str(buffer.dtype)) for shape, buffer in buffers)
    return (*given, *map(KernelTensor, scratch))


def _macs(function: tirx.PrimFunc) -> int:
    """As a template states them, else read off the loops."""
    stated = (function.attrs or {}).get("macs")
    return int(stated) if stated is not None else multiply_accumulates(function)


def _buffer_shapes(function: tirx.PrimFunc) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(extent) for extent in buffer.shape) for buffer in function.params)
