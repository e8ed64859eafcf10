"""Our own libraries timed in turns, here or on a board at the end of a wire, by name.

On this machine each has a process of its own (`bench/turns.py`); on a board all are loaded in one
session over RPC, and no memory is known. A sample is the same in both.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.engines import our_engine
from bench.kernel_timing import bench_session, samples_in_turns
from bench.rows import ENGINE, Row, report_row
from bench.turns import Entry, Timing, Timings, calls_of_sample, time_in_turns
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
from deploy_rpc.session import LoadedModule
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
            return time_in_session(rungs, libraries, board, rounds)
        timings, _ = time_in_turns(entries, rounds)
        return timings


def our_entry(lowered: Lowered, path: Path) -> Entry:
    """What takes part in a run: the library of `lowered`, built as `path`."""
    engine = our_engine(our_library(lowered, path))
    return Entry(lowered.network, engine, lowered.threads, lowered.level)


def our_row(
    suite: str,
    lowered: Lowered,
    kind: str,
    unit: str,
    samples: Sequence[float],
    core: Core | None = None,
    **more: object,
) -> Row:
    """The `report_row` of our library of `lowered`, on a modelled `core`, then `more`."""
    return report_row(
        suite,
        lowered.target,
        network=lowered.network,
        engine=ENGINE,
        level=lowered.level,
        threads=lowered.threads,
        kind=kind,
        unit=unit,
        samples=samples,
        core=core,
        **more,
    )


def time_in_session(
    rungs: Mapping[str, Lowered], libraries: Mapping[str, Path], board: BoardSpec, rounds: int
) -> Timings:
    """The times of `libraries`, built from `rungs` of any level, all in one session on `board`.

    On this machine the process is kept to as many cores as the most threads of a rung. Raises
    `BoardError` for a board of another kind, `VerificationError` for a wrong output.
    """
    x = next(iter(rungs.values())).network.example_input()
    target = next(iter(rungs.values())).target
    threads = max(lowered.threads for lowered in rungs.values())
    with bench_session(board, target, threads) as session:
        modules, outputs = {}, {}
        with phase(f"run on board {board}"):
            for name, lowered in rungs.items():
                shapes = lowered.network.output_shapes
                module = session.load(
                    libraries[name], output_shapes=shapes, threads=lowered.threads
                )
                modules[name], outputs[name] = module, _verified_output(module, lowered, x, board)
        mean_ms = {name: functools.partial(modules[name].mean_ms, x) for name in rungs}
        calls = {n: calls_of_sample(functools.partial(mean_ms[n], runs=1)) for n in rungs}
        sample = {n: functools.partial(mean_ms[n], runs=calls[n]) for n in rungs}
        samples = samples_in_turns(sample, rounds, "libraries")
    return {name: Timing(samples[name], outputs[name], calls[name]) for name in rungs}


def _verified_output(
    module: LoadedModule, lowered: Lowered, x: np.ndarray, board: BoardSpec
) -> np.ndarray:
    network, where, dtype = lowered.network, f"board {board}", lowered.target.dtype
    y = module.run(x)
    expected = network.references(x)
    verify_outputs([y], network, expected, level=lowered.level, where=where, dtype=dtype)
    return y


def our_library(lowered: Lowered, path: Path) -> Library:
    """The library of `lowered`, written as `path` for the target that it was lowered for."""
    target = lowered.target
    return build_library(lowered, target, find_linker("auto", target), path)


def modelled_core(target: CompileTarget, board: BoardSpec) -> Core:
    """The core of a modelled `board`, by default the target's."""
    return find_core(board.core) if board.core else target.core


def modelled_inference(
    lowered: Lowered, core: Core, price: NetworkPrice | None = None
) -> tuple[CycleReport, np.ndarray]:
    """What one inference costs on `core`, as `price_library` has it, and its verified output."""
    network = lowered.network
    with tempfile.TemporaryDirectory() as folder:
        library = our_library(lowered, Path(folder) / "network.so")
        report, outputs = price_library(lowered, library.path, core, price)
    expected = network.references(network.example_input())
    where = f"board modelled:{core.name}"
    dtype = lowered.target.dtype
    verify_outputs(outputs, network, expected, level=lowered.level, where=where, dtype=dtype)
    return report, the_only(outputs)
