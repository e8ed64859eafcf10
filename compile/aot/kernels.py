"""A scheduled PrimFunc as a C function that needs nothing but its parameters.

    kernel(X, ..., Y): body
      ->  kernel(x, ..., y, scratch...) -> int32: X = decl_buffer(x) ...; body; return 0

On the right a function over raw pointers. A small buffer of one thread is kept on the stack, any
other one becomes a pointer, so that nothing is allocated while a network runs. Where several
threads run it, each calls it with its number, and walks its share of every parallel loop:

    A[..] = ..                                    if thread == 0: A[..] = ..
    for i in parallel(n): body          ->        barrier(team)
                                                  for i in [n*thread/threads, n*(thread+1)/threads)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import s_tir, tirx
from tvm.ir import PointerType, PrimType

STACK_BYTES = 4096  # most that one buffer may take of a stack
INT = "int32"

FLAT = tvm.transform.Sequential(  # blocks to plain statements; what TVM's own pipeline begins with
    [
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.CompactBufferAllocation(),
        s_tir.transform.LowerMatchBuffer(),
        s_tir.transform.StmtSimplify(),
        s_tir.transform.LowerOpaqueBlock(),
    ]
)
DECLARATIONS = (tirx.AllocBuffer, tirx.DeclBuffer, tirx.Bind)


@dataclass(frozen=True)
class Scratch:
    """Memory that a kernel needs while it runs: once, or once for every thread."""

    bytes: int
    per_thread: bool


@dataclass(frozen=True)
class CKernel:
    """`function` takes pointers to its buffers, then to each scratch, then what a team shares.

    The last are (team, thread, threads), and only there where it was made for several threads.
    """

    function: tirx.PrimFunc
    scratch: tuple[Scratch, ...]


@dataclass(frozen=True)
class Team:
    """The variables by which code knows which of how many threads it is."""

    team: tirx.Var
    thread: tirx.Var
    threads: tirx.Var
    barrier_symbol: str

    @staticmethod
    def create(barrier_symbol: str) -> Team:
        """New variables, to be a function's parameters; the threads meet in `barrier_symbol`."""
        pointer = PointerType(PrimType("void"))
        names = tirx.Var("thread", INT), tirx.Var("thread_count", INT)
        return Team(tirx.Var("team", pointer), *names, barrier_symbol)

    @property
    def parameters(self) -> list[tirx.Var]:
        """All three, in the order in which functions take them."""
        return [self.team, self.thread, self.threads]

    def barrier(self) -> tirx.Stmt:
        """Waits for all threads of the team."""
        return tirx.Evaluate(tirx.call_extern(INT, self.barrier_symbol, self.team))


def as_c_kernel(
    function: tirx.PrimFunc, barrier: str | None = None, *, serial_by_all: bool = False
) -> CKernel:
    """`function`, whose buffers have static shapes, for one thread, or a team that meets in the C
    function `barrier`.

    `serial_by_all` is for pricing one thread alone: each does what else the first does for all.
    """
    flat = FLAT(tvm.IRModule({"kernel": function}))["kernel"]
    pointers = [_pointer_to(buffer) for buffer in flat.params]
    declared = [
        tirx.DeclBuffer(buffer, data=pointer)
        for buffer, pointer in zip(flat.params, pointers, strict=True)
    ]
    team = Team.create(barrier) if barrier else None
    rewriter = _Rewriter(team, serial_by_all)
    body = rewriter.rewrite(flat.body)
    body = tirx.SeqStmt([*declared, *_statements(body), tirx.Return(tirx.const(0, INT))])
    parameters = [*pointers, *rewriter.pointers, *(team.parameters if team else ())]
    c_function = tirx.PrimFunc(parameters, body, PrimType(INT)).with_attr("tirx.noalias", True)
    return CKernel(c_function, tuple(rewriter.scratch))


class _Rewriter:
    """Statement to statement; collects the scratch memory that the statements need."""

    def __init__(self, team: Team | None, serial_by_all: bool) -> None:
        self._team = team
        self._serial_by_all = serial_by_all
        self.scratch: list[Scratch] = []
        self.pointers: list[tirx.Var] = []

    def rewrite(self, body: tirx.Stmt) -> tirx.Stmt:
        """`body`, run by one thread or by a team."""
        return self._own(body) if self._team is None else self._shared(body)

    def _own(self, stmt: tirx.Stmt) -> tirx.Stmt:
        """A statement that one thread runs by itself."""
        if isinstance(stmt, tirx.AllocBuffer):
            return self._allocate(stmt, per_thread=True)
        if isinstance(stmt, tirx.For):
            return _loop(stmt, stmt.min, stmt.extent, self._own(stmt.body))
        return _with_parts(stmt, self._own)

    def _shared(self, stmt: tirx.Stmt) -> tirx.Stmt:
        """A statement that all threads of the team reach."""
        if isinstance(stmt, tirx.AllocBuffer):
            return self._allocate(stmt, per_thread=False)
        if isinstance(stmt, DECLARATIONS):
            return stmt
        if not _has_parallel_loop(stmt):
            return self._serial(stmt)
        if isinstance(stmt, tirx.SeqStmt):
            return self._sequence(stmt.seq)
        if isinstance(stmt, tirx.For):
            return self._shared_loop(stmt)
        return _with_parts(stmt, self._shared)

    def _serial(self, stmt: tirx.Stmt) -> tirx.Stmt:
        """What the first thread does for all others."""
        own = self._own(stmt)
        return own if self._serial_by_all else tirx.IfThenElse(self._team.thread == 0, own, None)

    def _sequence(self, statements: Sequence[tirx.Stmt]) -> tirx.Stmt:
        """A barrier wherever one statement may need what another thread did in the one before."""
        result: list[tirx.Stmt] = []
        works = False
        for stmt in statements:
            if not isinstance(stmt, DECLARATIONS):
                result += [self._team.barrier()] if works else []
                works = True
            result.append(self._shared(stmt))
        return tirx.SeqStmt(result)

    def _shared_loop(self, loop: tirx.For) -> tirx.Stmt:
        if loop.kind == tirx.ForKind.PARALLEL:
            # truncdiv: TVM 0.27 lowers floordiv by a variable to lets that its codegen refuses
            first, end = (
                tirx.truncdiv(loop.extent * share, self._team.threads)
                for share in (self._team.thread, self._team.thread + 1)
            )
            return _loop(loop, loop.min + first, end - first, self._own(loop.body))
        body = self._shared(loop.body)
        if not (isinstance(loop.extent, tirx.IntImm) and int(loop.extent) == 1):
            body = tirx.SeqStmt([*_statements(body), self._team.barrier()])
        return _loop(loop, loop.min, loop.extent, body)

    def _allocate(self, stmt: tirx.AllocBuffer, *, per_thread: bool) -> tirx.Stmt:
        buffer = stmt.buffer
        size = math.prod(int(extent) for extent in buffer.shape) * np.dtype(buffer.dtype).itemsize
        if per_thread and size <= STACK_BYTES:
            on_stack = {"disable_lower_builtin": tirx.IntImm("bool", 1)}
            return tirx.AllocBuffer(buffer, {**stmt.annotations, **on_stack})
        pointer = _pointer_to(buffer)
        self.scratch.append(Scratch(size, per_thread and self._team is not None))
        self.pointers.append(pointer)
        return tirx.DeclBuffer(buffer, data=pointer)


def _with_parts(stmt: tirx.Stmt, rewrite: object) -> tirx.Stmt:
    """`stmt` with every statement in it rewritten."""
    if isinstance(stmt, tirx.SeqStmt):
        return tirx.SeqStmt([rewrite(part) for part in stmt.seq])
    if isinstance(stmt, tirx.IfThenElse):
        otherwise = None if stmt.else_case is None else rewrite(stmt.else_case)
        return tirx.IfThenElse(stmt.condition, rewrite(stmt.then_case), otherwise)
    if isinstance(stmt, tirx.AttrStmt):
        return tirx.AttrStmt(stmt.node, stmt.attr_key, stmt.value, rewrite(stmt.body))
    if isinstance(stmt, tirx.While):
        return tirx.While(stmt.condition, rewrite(stmt.body))
    return stmt


def _loop(loop: tirx.For, first: tirx.Expr, extent: tirx.Expr, body: tirx.Stmt) -> tirx.For:
    """`loop` over other bounds; never parallel."""
    kind = tirx.ForKind.SERIAL if loop.kind == tirx.ForKind.PARALLEL else loop.kind
    return tirx.For(loop.loop_var, first, extent, kind, body, annotations=loop.annotations)


def _has_parallel_loop(stmt: tirx.Stmt) -> bool:
    if isinstance(stmt, tirx.For):
        return stmt.kind == tirx.ForKind.PARALLEL or _has_parallel_loop(stmt.body)
    if isinstance(stmt, tirx.SeqStmt):
        return any(_has_parallel_loop(part) for part in stmt.seq)
    if isinstance(stmt, tirx.IfThenElse):
        parts = [stmt.then_case] if stmt.else_case is None else [stmt.then_case, stmt.else_case]
        return any(_has_parallel_loop(part) for part in parts)
    return isinstance(stmt, tirx.AttrStmt | tirx.While) and _has_parallel_loop(stmt.body)


def _statements(stmt: tirx.Stmt) -> list[tirx.Stmt]:
    return list(stmt.seq) if isinstance(stmt, tirx.SeqStmt) else [stmt]


def _pointer_to(buffer: tirx.Buffer) -> tirx.Var:
    return tirx.Var(f"{buffer.name}_data", PointerType(PrimType(buffer.dtype), "global"))
