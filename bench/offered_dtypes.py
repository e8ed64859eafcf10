"""The number formats that a target and a board compute in."""

from __future__ import annotations

from compile.targets import CompileTarget, TargetError, with_dtype
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import DTYPES, Core, Dtype
from deploy_rpc.emulated_board import emulated_core
from deploy_rpc.host import machine_isa


def offered_dtypes(
    target: CompileTarget, board: BoardSpec
) -> tuple[dict[Dtype, CompileTarget], dict[str, str]]:
    """The target in each number format that it and `board` compute in; why not others.

    This machine converts float16, but has no instruction for dot products of another one.
    """
    offered, missing = {}, {}
    for dtype in DTYPES:
        try:
            offered[dtype] = with_dtype(target, dtype)
            _require_arithmetic(dtype, target.core, board)
        except TargetError as error:
            offered.pop(dtype, None)
            missing[dtype] = str(error)
    return offered, missing


def _require_arithmetic(dtype: Dtype, core: Core, board: BoardSpec) -> None:
    """Raises `TargetError` where kernels for `core` have instructions that `board` lacks."""
    runs_on = emulated_core(board) if board.kind == "emulated" else None
    if dtype == "float16" and runs_on and not runs_on.half:
        raise TargetError(f"{board} has no float16 arithmetic (FEAT_FP16)")
    foreign = board.kind == "local" and core.isa != machine_isa()
    if dtype == "int8" and core.dot and (foreign or (runs_on and not runs_on.dot)):
        raise TargetError(
            f"int8 kernels for {core.name} need dot products (FEAT_DotProd), which {board} has "
            f"not; expected emulated:{core.name} or a board of this core"
        )
