"""Verifies a build on its board, and times every level where a clock can be trusted.

An emulated board answers right but has no times: there the same lowered modules, built for this
machine, are verified and timed as well; not those of int8, which hold instructions of their core.
A modelled board has cycles instead of times, for every level that is a plain C library
(`compile/price_library.py`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from compile.latency import Latency
from compile.library import build_library
from compile.link import Linker, find_host_linker
from compile.lower import Lowered
from compile.price_library import price_library
from compile.price_network import note_on
from compile.targets import CompileTarget, host_target, runs_lowered_here
from compile.verify import Verification, verify, verify_outputs
from deploy_rpc.board_spec import BoardError, BoardSpec, parse_board
from deploy_rpc.bundle import BOARD_ISA
from deploy_rpc.cores import find_core
from deploy_rpc.session import open_session
from deploy_rpc.timing import ROUNDS, interleaved_times_ms
from model.cli import phase

BOARD_TIMEOUT_S = 300  # longest wait for one answer: 720x1280 under emulation takes about a minute

TIMING_S = 60  # about as long as the rounds of times may take; VGG-19's naive loops need 20 s a run

Findings = tuple[list[Verification], list[Latency]]


def examine(
    rungs: Sequence[Lowered],
    library: Path,
    linker: Linker,
    board: BoardSpec | None,
    host_linker: Linker | None = None,
) -> Findings:
    """Verifies `library`, built from the last of `rungs`, and times all rungs in turns.

    `board` is where the library runs; None where there is none at hand. Other libraries that are
    needed are built beside `library`, those for this machine with `host_linker`, or with what is
    found where none is given. Raises `VerificationError` on the first wrong output.
    """
    network = rungs[-1].network
    with phase(f"reference output from {network.reference_name}"):
        expected = network.references(network.example_input())
    shipped = {rungs[-1].level: library}
    if board is not None and board.kind == "modelled":
        return _model(rungs, library, linker, board, expected)
    if board is not None and board.kind != "emulated":
        built = _build_others(rungs[:-1], rungs[-1].target, linker, library.parent)
        return _run(board, f"board {board}", built | shipped, rungs[-1], expected)
    verifications: list[Verification] = []
    if board is not None:
        verifications, _ = _run(board, f"board {board}", shipped, rungs[-1], expected)
    if not compares_here(board, rungs[-1].target):
        return verifications, []
    host = host_target()
    where = f"this machine ({host.core.llvm_cpu}), same lowered modules"
    built = _build_others(rungs, host, host_linker or find_host_linker("auto"), library.parent)
    more, latencies = _run(parse_board("local"), where, built, rungs[-1], expected)
    return verifications + more, latencies


def compares_here(board: BoardSpec | None, target: CompileTarget) -> bool:
    """Whether what `board` runs of a build for `target` is built and timed here, too."""
    return (board is None or board.kind == "emulated") and runs_lowered_here(target)


def rounds_of(round_s: float) -> int:
    """How many rounds of times are taken, if one run of each level takes `round_s` seconds.

    An untimed run comes before each timed one.
    """
    return max(1, min(ROUNDS, int(TIMING_S / (2 * round_s))))


def check_board(board: BoardSpec | None, target: CompileTarget) -> None:
    """Raises `BoardError` where the board cannot be reached, or runs no code for `target`.

    To be known before a build rather than after it. Boards under QEMU are started when needed.
    """
    if board is None:
        return
    isa = BOARD_ISA
    if not board.under_qemu:
        with phase(f"look for {board}"), open_session(board, timeout_s=BOARD_TIMEOUT_S) as session:
            isa = session.isa
    if isa not in (None, target.core.isa):
        raise BoardError(
            f"{board} is {isa}, but target {target.name} is {target.core.isa}; name another "
            "--board, or leave it away"
        )


def _model(
    rungs: Sequence[Lowered],
    library: Path,
    linker: Linker,
    board: BoardSpec,
    expected: Sequence[np.ndarray],
) -> Findings:
    """Verifies and prices inferences of the shipped library and of the other C libraries."""
    last, others = rungs[-1], [rung for rung in rungs[:-1] if rung.compute is not None]
    core = find_core(board.core) if board.core else last.target.core
    where = f"board modelled:{core.name}"
    libraries = _build_others(others, last.target, linker, library.parent) if others else {}
    verifications, latencies = [], []
    for rung in [*others, last]:
        path = libraries.get(rung.level, library)
        with phase(f"run {rung.level} on {where}"):
            report, outputs = price_library(rung, path, core)
        verifications += verify_outputs(
            outputs,
            rung.network,
            expected,
            level=rung.level,
            where=where,
            dtype=rung.target.dtype,
        )
        figures = ("modelled", "Mcycles", where, rung.threads, [report.cycles / 1e6])
        notes = filter(None, (note_on(rung.threads), *report.doubts))
        latencies.append(Latency(rung.level, *figures, "; ".join(notes) or None))
    return verifications, latencies


def _build_others(
    rungs: Sequence[Lowered], target: CompileTarget, linker: Linker, folder: Path
) -> dict[str, Path]:
    """Libraries of `rungs` for `target`, by level, under names that are not shipped."""
    libraries = {rung.level: folder / f"{rung.level}.{target.name}.compared.so" for rung in rungs}
    with phase(f"compile {', '.join(libraries)} for {target.name} to compare"):
        for rung in rungs:
            build_library(rung, target, linker, libraries[rung.level])
    return libraries


def _run(
    board: BoardSpec,
    where: str,
    libraries: Mapping[str, Path],
    last: Lowered,
    expected: Sequence[np.ndarray],
) -> Findings:
    """Verifies each level on `board`, and times them all where its clock means something.

    All are of the network, threads and number format of `last`.
    """
    network, threads = last.network, last.threads
    with phase(f"run on {where}"), open_session(board, timeout_s=BOARD_TIMEOUT_S) as session:
        modules = {
            level: session.load(path, output_shapes=network.output_shapes, threads=threads)
            for level, path in libraries.items()
        }
        start = time.perf_counter()
        verifications = [
            verification
            for level, module in modules.items()
            for verification in verify(
                module, network, expected, level=level, where=where, dtype=last.target.dtype
            )
        ]
        if session.kind_of_time is None:
            return verifications, []
        rounds = rounds_of(time.perf_counter() - start)
        samples = interleaved_times_ms(modules, network.example_input(), rounds)
        latencies = [
            Latency(level, session.kind_of_time, "ms", where, threads, times)
            for level, times in samples.items()
        ]
    return verifications, latencies
