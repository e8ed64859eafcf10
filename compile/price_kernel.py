"""A PrimFunc's modelled cycles on an ARM core: compiled alone, linked with a harness, counted.

The kernel is the C function that a library holds; its scratch is more buffers to the harness. What
several threads do together is priced a share at a time (`compile/price_share.py`), and the longest
share is what they take: where they wait for each other is not in it, and each share's caches hold
its own data only.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import tvm
from tvm import tirx

from compile.aot.compute import compile_module, exported
from compile.aot.kernels import CKernel, as_c_kernel
from compile.price_share import BARRIER_SYMBOL, Share, compile_share
from compile.targets import CompileTarget
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport, modelled_cycles
from deploy_rpc.isa import isa_called
from deploy_rpc.kernel_program import MAX_BUFFERS, link_kernel_program
from model.errors import InputError

SYMBOL = "kernel"  # as the harness calls it
PRICED = ("float32", "float16", "int8", "int32")
FLOAT_BYTES = 4  # the harness fills buffers with float32 values


class KernelPriceError(InputError):
    """A PrimFunc that cannot be priced by itself."""


def price_kernel(
    function: tirx.PrimFunc, target: CompileTarget, core: Core, threads: int = 1
) -> CycleReport:
    """What one call of the scheduled `function`, built for `target`, costs on `core`.

    Of several threads it is the longest share, each with the serial rest in it. The second of two
    calls, so its caches are warm; raises `KernelPriceError` as `kernel_program`.
    """
    if threads == 1:
        return _price(function, target, core, None)
    shares = (Share(thread, threads) for thread in range(threads))
    reports = (_price(function, target, core, share) for share in shares)
    return max(reports, key=lambda report: report.cycles)


def _price(
    function: tirx.PrimFunc, target: CompileTarget, core: Core, share: Share | None
) -> CycleReport:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "kernel"
        return modelled_cycles(program, kernel_program(function, target, program, share), core)


def kernel_program(
    function: tirx.PrimFunc, target: CompileTarget, program: Path, share: Share | None = None
) -> list[str]:
    """Makes the scheduled `function` the executable `program` for `target`; returns its arguments.

    It is for one thread, or for several and does the `share` of one. Its buffers are of static
    shape and floats, which hold the bits of float32 values, and at most `MAX_BUFFERS`; raises
    `KernelPriceError` where they are not.
    """
    kernel = as_c_kernel(function, share and BARRIER_SYMBOL, serial_by_all=share is not None)
    in_bytes = [*map(_bytes, function.params), *(each.bytes for each in kernel.scratch)]
    sizes = [str(-(-size // FLOAT_BYTES)) for size in in_bytes]
    if len(sizes) > MAX_BUFFERS:
        raise KernelPriceError(f"a kernel of {len(sizes)} buffers; at most {MAX_BUFFERS} expected")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compiled = (
            compile_share(kernel, share, SYMBOL, target, folder)
            if share
            else [_compile(kernel, target, folder)]
        )
        link_kernel_program(compiled, program, isa_called(target.core.isa))
    return sizes


def _compile(kernel: CKernel, target: CompileTarget, folder: Path) -> Path:
    compiled = folder / "kernel.o"
    module = tvm.IRModule({SYMBOL: exported(kernel.function, SYMBOL)})
    compile_module(module, target.tvm).write_to_file(str(compiled), "o")
    return compiled


def _bytes(buffer: tirx.Buffer) -> int:
    shape = [extent for extent in buffer.shape if isinstance(extent, tirx.IntImm)]
    if buffer.dtype not in PRICED or len(shape) != len(buffer.shape):
        raise KernelPriceError(
            f"buffer {buffer.name} is {buffer.dtype} of shape {list(buffer.shape)}; only "
            f"{', '.join(PRICED)} of static shape are priced"
        )
    return math.prod(int(extent) for extent in shape) * np.dtype(str(buffer.dtype)).itemsize
