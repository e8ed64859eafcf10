"""A PrimFunc's modelled cycles on an ARM core: compiled alone, linked with a harness, counted.

    kernel(X, ..., Y): body  ->  kernel(x, ..., y) -> int32: X = decl_buffer(x) ...; body; return 0

On the right a plain C function over pointers to float32.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import tvm
from tvm import tirx
from tvm.ir import PointerType, PrimType
from tvm.s_tir.pipeline import default_s_tir_pipeline

from compile.targets import CompileTarget
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport, modelled_cycles
from deploy_rpc.kernel_program import MAX_BUFFERS, link_kernel_program
from model.errors import InputError

SYMBOL = "kernel"  # as the harness calls it
FLOAT = "float32"
C_CALL = -1  # the calling convention of a function that keeps its parameters
DLPACK_CPU = 1


class KernelPriceError(InputError):
    """A PrimFunc that cannot be priced by itself."""


def price_kernel(function: tirx.PrimFunc, target: CompileTarget, core: Core) -> CycleReport:
    """What one call of the scheduled `function`, built for `target`, costs on `core`.

    The second of two calls, so its caches are warm. Its buffers are float32, of static shape, at
    most `MAX_BUFFERS`, and it uses one thread; raises `KernelPriceError` where they are not.
    """
    sizes = [str(_values(buffer)) for buffer in function.params]
    if len(sizes) > MAX_BUFFERS:
        raise KernelPriceError(f"a kernel of {len(sizes)} buffers; at most {MAX_BUFFERS} expected")
    with tempfile.TemporaryDirectory() as folder:
        compiled, program = Path(folder) / "kernel.o", Path(folder) / "kernel"
        _compile(as_c_function(function), target, compiled)
        link_kernel_program(compiled, program)
        return modelled_cycles(program, sizes, core)


def as_c_function(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """`function` over raw pointers, returning 0, called as a C function."""
    pointer = PointerType(PrimType(FLOAT), "global")
    pointers = [tirx.Var(f"{buffer.name}_data", pointer) for buffer in function.params]
    declared = [
        tirx.DeclBuffer(buffer, data=data)
        for buffer, data in zip(function.params, pointers, strict=True)
    ]
    body = tirx.SeqStmt([*declared, function.body, tirx.Return(tirx.const(0, "int32"))])
    plain = tirx.PrimFunc(pointers, body, PrimType("int32"), function.attrs)
    return (
        plain.with_attr("global_symbol", SYMBOL)
        .with_attr("tirx.noalias", True)
        .with_attr("calling_conv", C_CALL)
    )


def _values(buffer: tirx.Buffer) -> int:
    shape = [extent for extent in buffer.shape if isinstance(extent, tirx.IntImm)]
    if buffer.dtype != FLOAT or len(shape) != len(buffer.shape):
        raise KernelPriceError(
            f"buffer {buffer.name} is {buffer.dtype} of shape {list(buffer.shape)}; only float32 "
            "of static shape is priced"
        )
    return math.prod(int(extent) for extent in shape)


def _compile(function: tirx.PrimFunc, target: CompileTarget, output: Path) -> None:
    """TVM's own pipeline, but for the device that only packed functions are told."""
    lower, finalise, _ = default_s_tir_pipeline()
    module = tvm.IRModule({SYMBOL: function})
    module = tirx.transform.BindTarget(target.tvm.with_host(target.tvm))(module)
    module = finalise()(_on_cpu(lower(module)))
    tvm.get_global_func("target.build.llvm")(module, target.tvm).write_to_file(str(output), "o")


@tirx.transform.prim_func_pass(opt_level=0)
def _on_cpu(
    function: tirx.PrimFunc, _module: tvm.IRModule, _context: tvm.transform.PassContext
) -> tirx.PrimFunc:
    """Says where workspaces are, which allocations of more than 1 KB become."""
    body, zero = function.body, tirx.const(0, "int32")
    for key, value in (("device_type", DLPACK_CPU), ("device_id", 0)):
        body = tirx.AttrStmt(zero, key, tirx.const(value, "int32"), body)
    return function.with_body(body)
