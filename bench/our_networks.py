"""Our own libraries timed in turns, here or on a board at the end of a wire, by name.

On this machine each has a process of its own (`bench/turns.py`); on a board it is loaded over RPC,
and no memory is known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.engines import our_engine
from bench.kernel_timing import BOARD_TIMEOUT_S
from bench.turns import Entry, Timing, Timings, time_in_turns
from compile.library import Library, build_library
from compile.link import find_linker
from compile.lower import Lowered
from compile.price_library import price_library
from compile.price_network import NetworkPrice
from compile.targets import CompileTarget
from compile.verify import verify_outputs
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Core, find_core
from deploy_rpc.cycles import CycleReport
from deploy_rpc.session import open_session
from deploy_rpc.timing import interleaved_times_ms
from model.cli import phase
from model.outputs import the_only


def time_ours(rungs: Mapping[str, Lowered], board: BoardSpec, rounds: int) -> Timings:
    """The times of `rungs`, none of them of level stock, all for inputs of one shape, on `board`.

    Outputs are verified first; raises `EngineError` or `VerificationError` for a wrong one.
    """
    with tempfile.TemporaryDirectory(prefix="networks-") as folder:
        with phase(f"build {len(rungs)} libraries"):
            libraries = {name: Path(folder) / f"{number}.so" for number, name in enumerate(rungs)}
            entries = {name: our_entry(rungs[name], path) for name, path in libraries.items()}
        if board.kind != "local":
            return _time_on_board(rungs, libraries, board, rounds)
        timings, _ = time_in_turns(entries, rounds)
        return timings


def our_entry(lowered: Lowered, path: Path) -> Entry:
    """What takes part in a run: the library of `lowered`, built as `path`."""
    engine = our_engine(_library(lowered, path))
    return Entry(lowered.network, engine, lowered.threads, lowered.level)


def _library(lowered: Lowered, path: Path) -> Library:
    target = lowered.target
    return build_library(lowered, target, find_linker("auto", target), path)


def _time_on_board(
    rungs: Mapping[str, Lowered], libraries: Mapping[str, Path], board: BoardSpec, rounds: int
) -> Timings:
    where = f"board {board}"
    x = next(iter(rungs.values())).network.example_input()
    outputs, modules = {}, {}
    with phase(f"run on {where}"), open_session(board, timeout_s=BOARD_TIMEOUT_S) as session:
        for name, lowered in rungs.items():
            network = lowered.network
            module = modules[name] = session.load(
                libraries[name], output_shapes=network.output_shapes, threads=lowered.threads
            )
            y = outputs[name] = module.run(x)
            verify_outputs(
                [y],
                network,
                network.references(x),
                level=lowered.level,
                where=where,
                dtype=lowered.target.dtype,
            )
        samples = interleaved_times_ms(modules, x, rounds)
    return {name: Timing(samples[name], outputs[name]) for name in rungs}


def modelled_core(target: CompileTarget, board: BoardSpec) -> Core:
    """The core of a modelled `board`, by default the target's."""
    return find_core(board.core) if board.core else target.core


def modelled_inference(
    lowered: Lowered, core: Core, price: NetworkPrice | None = None
) -> tuple[CycleReport, np.ndarray]:
    """What one inference costs on `core`, as `price_library` has it, and its verified output."""
    network = lowered.network
    with tempfile.TemporaryDirectory() as folder:
        library = _library(lowered, Path(folder) / "network.so")
        report, outputs = price_library(lowered, library.path, core, price)
    expected = network.references(network.example_input())
    where = f"board modelled:{core.name}"
    dtype = lowered.target.dtype
    verify_outputs(outputs, network, expected, level=lowered.level, where=where, dtype=dtype)
    return report, the_only(outputs)
