"""The whole network before and after tuning, on the board that it was tuned for."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from compile.examine import examine
from compile.latency import Latency
from compile.library import build_library
from compile.link import find_linker
from compile.lower import Lowered, redecided
from compile.passes.take_decisions import Decisions
from deploy_rpc.affinity import pinned_to_cores
from deploy_rpc.board_spec import BoardSpec


def before_and_after(fused: Lowered, decisions: Decisions, board: BoardSpec) -> list[Latency]:
    """Latencies of the library at level fused, and of that with `decisions`, both verified.

    Cycles of one inference of each on a modelled board, times taken in turns on a real one, pinned
    on this machine. Raises `VerificationError` where one is wrong, and `BoardError`.
    """
    tuned = redecided(fused, decisions)
    is_here = board.kind == "local"
    pinned = pinned_to_cores(fused.threads) if is_here else contextlib.nullcontext()
    with pinned, tempfile.TemporaryDirectory(prefix="tuned-") as folder:
        linker = find_linker("auto", fused.target)
        library = build_library(tuned, fused.target, linker, Path(folder) / "tuned.so")
        _, latencies = examine([fused, tuned], library.path, linker, board)
    return latencies
