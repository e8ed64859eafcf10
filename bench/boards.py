"""Where libraries for a target run on this machine, and how many cores a board has."""

from __future__ import annotations

import os

from compile.targets import CompileTarget
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.boards import BOARDS as TABLE

BOARDS = {"host": "local", "arm_cpu": "emulated"}


def cores_of(board: BoardSpec, target: CompileTarget) -> int:
    """How many cores `board` has: those of this machine that the process may use, or the table's.

    Raises `BoardError` where nothing tells: for a board elsewhere whose `target` is none of a
    board.
    """
    if board.kind == "local":
        return len(os.sched_getaffinity(0))
    for known in TABLE:
        if known.name == target.name:
            return known.threads
    names = ", ".join(known.name for known in TABLE)
    raise BoardError(
        f"how many cores {board} has is not known for target {target.name}: name --threads N, or "
        f"a board as the target ({names})"
    )
