"""The function that runs a network: it calls every kernel in order, on one workspace.

    compute(input, output0, ..., weights, workspace) -> int32:
        kernel(input, weights + 0, ..., workspace + 64); ...; return 0

Of several threads each calls it with (team, thread, threads) besides, and waits for the others
between two kernels.

It is a module apart from the kernels, so that none is inlined into it: TVM tells LLVM that no two
buffers alias. That is so within a kernel, but one kernel's output is the next one's input, and
LLVM moved a load before the store it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import s_tir, tirx
from tvm.ir import PointerType, PrimType

from compile.aot.kernels import INT, CKernel, Team, as_c_kernel
from compile.aot.program import CONSTANT, INPUT, OUTPUT, TENSOR, Memory, Program, Step
from compile.aot.stack import with_aligned_stack
from compile.aot.symbols import barrier_symbol, compute_symbol, kernel_symbol
from compile.aot.workspace import ALIGNMENT, Lifetime, Workspace, aligned, plan_workspace

TO_LLVM = tvm.transform.Sequential(  # what TVM's own pipeline ends with, but for its packed calls
    [
        tirx.transform.FlattenBuffer(),
        tirx.transform.NarrowDataType(32),
        s_tir.transform.LoopPartition(),
        tirx.transform.VectorizeLoop(True),
        s_tir.transform.HoistIfThenElse(),
        tirx.transform.UnrollLoop(),
        s_tir.transform.RenormalizeSplitPattern(),
        tirx.transform.StmtSimplify(),
        tirx.transform.RemoveNoOp(),
        s_tir.transform.RewriteUnsafeSelect(),
        tirx.transform.CommonSubexprElim(),
        tirx.transform.LowerTVMBuiltin(),
        tirx.transform.LowerIntrin(),
    ]
)
C_CALL = -1  # TVM's calling convention of a function that keeps its parameters
BYTE = "uint8"


@dataclass(frozen=True)
class Compute:
    """Modules of C functions: the `kernels`, and `PREFIX_compute` that calls them.

    Its callers provide the `weights`, one block, 64-byte aligned, and another one of which
    `workspace` is the plan.
    """

    kernels: tvm.IRModule
    main: tvm.IRModule
    prefix: str
    weights: bytes
    workspace: Workspace
    threads: int


def make_compute(
    program: Program, functions: Mapping[str, tirx.PrimFunc], prefix: str, threads: int
) -> Compute:
    """Everything that `program` needs, kernels included, for up to `threads` threads."""
    used = dict.fromkeys(step.kernel for step in program.steps)
    barrier = barrier_symbol(prefix) if threads > 1 else None
    kernels = {name: as_c_kernel(functions[name], barrier) for name in used}
    lifetimes, scratch_at = _lifetimes(program, kernels, threads)
    workspace = plan_workspace(lifetimes)
    weights, offsets = pack_constants(program.constants)
    body = _Body(program.outputs, workspace, offsets, scratch_at, barrier)
    steps = [
        body.call(kernel_symbol(prefix, step.kernel), step, kernels[step.kernel], index)
        for index, step in enumerate(program.steps)
    ]
    functions = {kernel_symbol(prefix, name): kernel.function for name, kernel in kernels.items()}
    main = {compute_symbol(prefix): body.function(steps)}
    return Compute(_exported(functions), _exported(main), prefix, weights, workspace, threads)


def _exported(functions: Mapping[str, tirx.PrimFunc]) -> tvm.IRModule:
    """A module of C functions, under their names."""
    return tvm.IRModule({name: exported(each, name) for name, each in functions.items()})


def exported(function: tirx.PrimFunc, symbol: str) -> tirx.PrimFunc:
    """`function` as the C function `symbol`."""
    return function.with_attr("global_symbol", symbol).with_attr("calling_conv", C_CALL)


def compile_module(module: tvm.IRModule, target: tvm.target.Target) -> tvm.runtime.Module:
    """LLVM's code for `target` of C functions that `as_c_kernel` and `make_compute` made."""
    module = with_aligned_stack(module, target)
    module = tirx.transform.BindTarget(target.with_host(target))(module)
    return tvm.get_global_func("target.build.llvm")(TO_LLVM(module), target)


def pack_constants(constants: Sequence[np.ndarray]) -> tuple[bytes, list[int]]:
    """All constants in the order of their use, and the offset of each; aligned."""
    block, offsets = bytearray(), []
    for values in constants:
        block.extend(bytes(-len(block) % ALIGNMENT))
        offsets.append(len(block))
        block.extend(np.ascontiguousarray(values).tobytes())
    return bytes(block), offsets


def _lifetimes(
    program: Program, kernels: Mapping[str, CKernel], threads: int
) -> tuple[list[Lifetime], list[list[int]]]:
    """Of every tensor, then of every scratch; and which of them each step's scratch is."""
    spans: dict[int, tuple[int, int]] = {}
    for index, step in enumerate(program.steps):
        for memory in step.operands:
            if memory.kind == TENSOR:
                spans[memory.index] = (spans.get(memory.index, (index,))[0], index)
    lifetimes = [
        Lifetime(size, *spans.get(tensor, (0, 0)))
        for tensor, size in enumerate(program.tensor_bytes)
    ]
    scratch_at: list[list[int]] = []
    for index, step in enumerate(program.steps):
        scratch_at.append([])
        for scratch in kernels[step.kernel].scratch:
            scratch_at[-1].append(len(lifetimes))
            size = aligned(scratch.bytes) * threads if scratch.per_thread else scratch.bytes
            lifetimes.append(Lifetime(size, index, index))
    return lifetimes, scratch_at


class _Body:
    """The statements of `compute`."""

    def __init__(
        self,
        outputs: int,
        workspace: Workspace,
        constant_offsets: Sequence[int],
        scratch_at: Sequence[Sequence[int]],
        barrier: str | None,
    ) -> None:
        self._offsets = workspace.offsets
        self._constant_offsets = constant_offsets
        self._scratch_at = scratch_at
        self._team = Team.create(barrier) if barrier else None
        names = {
            Memory(INPUT): "input",
            **{Memory(OUTPUT, index): f"output{index}" for index in range(outputs)},
            Memory(CONSTANT): "weights",
            Memory(TENSOR): "workspace",
        }
        sizes = {
            Memory(TENSOR): workspace.bytes,
            Memory(CONSTANT): max(constant_offsets, default=0) + 1,
        }
        pointer = PointerType(PrimType(BYTE), "global")
        self._pointers = {block: tirx.Var(name, pointer) for block, name in names.items()}
        self._buffers = {
            block: tirx.decl_buffer((sizes.get(block, 1),), BYTE, name=each.name, data=each)
            for block, each in self._pointers.items()
        }

    def call(self, symbol: str, step: Step, kernel: CKernel, index: int) -> tirx.Stmt:
        """A step's call, with what it needs besides its operands."""
        operands = [self._address(memory) for memory in step.operands]
        for at, scratch in zip(self._scratch_at[index], kernel.scratch, strict=True):
            offset: int | tirx.Expr = self._offsets[at]
            if scratch.per_thread:
                offset = offset + self._team.thread * aligned(scratch.bytes)
            operands.append(self._at(Memory(TENSOR), offset))
        team = self._team.parameters if self._team else ()
        return tirx.Evaluate(tirx.call_extern(INT, symbol, *operands, *team))

    def function(self, steps: Sequence[tirx.Stmt]) -> tirx.PrimFunc:
        """The whole function; a barrier between any two steps of a team."""
        body: list[tirx.Stmt] = [
            tirx.DeclBuffer(buffer, data=self._pointers[block])
            for block, buffer in self._buffers.items()
        ]
        for index, step in enumerate(steps):
            body += [self._team.barrier()] if self._team and index else []
            body.append(step)
        body.append(tirx.Return(tirx.const(0, INT)))
        parameters = [*self._pointers.values(), *(self._team.parameters if self._team else ())]
        return tirx.PrimFunc(parameters, tirx.SeqStmt(body), PrimType(INT))

    def _address(self, memory: Memory) -> tirx.Expr:
        if memory.kind == CONSTANT:
            return self._at(Memory(CONSTANT), self._constant_offsets[memory.index])
        if memory.kind == TENSOR:
            return self._at(Memory(TENSOR), self._offsets[memory.index])
        return self._at(memory, 0)

    def _at(self, block: Memory, offset: int | tirx.Expr) -> tirx.Expr:
        return tirx.address_of(tirx.BufferLoad(self._buffers[block], [offset]))
