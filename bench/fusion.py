"""The ladder: every level of one network, timed in turns in one run, outputs verified first."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from compile.examine import examine
from compile.library import build_library
from compile.link import find_linker
from compile.lower import LEVELS, lower
from compile.source import random_network
from compile.targets import CompileTarget
from deploy_rpc.board_spec import BoardSpec


def measure_ladder(
    model: str, target: CompileTarget, board: BoardSpec, threads: int
) -> list[dict[str, Any]]:
    """One report row for each level of `model`, with random weights, on `board`."""
    network = random_network(model)
    rungs = [lower(network, level, target, threads=threads) for level in LEVELS]
    linker = find_linker("auto", target)
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{model}.so"
        build_library(rungs[-1], target, linker, library)
        _, latencies = examine(rungs, library, linker, board)
    return [
        {
            "suite": "fusion",
            "model": model,
            "input": "x".join(map(str, network.input_shape[2:])),
            "engine": "shufflenet-compiled",
            "level": row.level,
            "target": target.name,
            "core": target.core.llvm_cpu,
            "threads": threads,
            "kind": row.kind,
            "unit": row.unit,
            "median": row.median,
            "samples": row.samples,
            "speedup_over_stock": latencies[0].median / row.median,
        }
        for row in latencies
    ]
