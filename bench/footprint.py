"""Memory and start-up of a network in each engine, a process for every measurement, in turns.

memory    MB that a process needs more than a Python interpreter with NumPy and the input, up to the
          first answer; and the whole of a C program (our packaged example), linked both ways
startup   ms from loading the library or model file to the first answer, files in the page cache
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from bench.engine_output import check_output
from bench.engines import Engine, our_engine
from bench.limited import EngineError, run_limited
from bench.our_networks import our_library
from bench.packaged import build_program, packaged_library
from bench.peer_files import of_network, peer_engines
from bench.rows import ENGINE, Row, report_row
from bench.turns import failure_noted
from compile.library import Library
from compile.lower import Lowered, lower
from compile.network import Network
from compile.targets import CompileTarget, with_abi
from deploy_rpc.compiled_once import compiled_once

LIMIT_S = 120
FOLDER = Path(__file__).parent
SHARED, STATIC = "C program, shared library", "C program, static"
PICTURE = (375, 500)  # rows and columns of a usual ImageNet picture


def measure_memory(
    network: Network, target: CompileTarget, rounds: int, peers: Collection[str]
) -> tuple[list[Row], dict[str, str]]:
    """A row for each engine, and for our C example with the shared and the static library.

    With the rows comes why any of `peers` has none; raises `EngineError` where ours fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lowered, library = _ours(network, target, folder)
        reports, failed = _measure(network, library, peers, folder, rounds)
        programs = {
            SHARED: _example(lowered, target, folder / "shared", static=False),
            STATIC: _example(lowered, with_abi(target, "musl"), folder / "static", static=True),
        }
        peaks = {
            process: [_peak_bytes(program) for _ in range(rounds)]
            for process, program in programs.items()
        }
    taken = {("Python", engine): _each(of, "memory_bytes") for engine, of in reports.items()}
    taken |= {(process, ENGINE): of_process for process, of_process in peaks.items()}
    ours = {"weights_bytes": lowered.weights_bytes, "workspace_bytes": library.workspace_bytes}
    rows = []
    for (process, engine), sizes in taken.items():
        needed = ours if engine == ENGINE else {}
        samples = [size / 1e6 for size in sizes]
        row = _row("memory", network, target, engine, "MB", samples, process=process, **needed)
        rows.append(row)
    return rows, failed


def measure_startup(
    network: Network, target: CompileTarget, rounds: int, peers: Collection[str]
) -> tuple[list[Row], dict[str, str]]:
    """A row for each engine; `import_ms` is what its Python package takes before.

    With the rows comes why any of `peers` has none; raises `EngineError` where ours fails.
    """
    with tempfile.TemporaryDirectory() as name:
        _, library = _ours(network, target, Path(name))
        reports, failed = _measure(network, library, peers, Path(name), rounds)
    rows = []
    for engine, of in reports.items():
        imports = {"import_ms": statistics.median(_each(of, "import_ms"))}
        samples = _each(of, "first_answer_ms")
        rows.append(_row("startup", network, target, engine, "ms", samples, **imports))
    return rows, failed


def _ours(network: Network, target: CompileTarget, folder: Path) -> tuple[Lowered, Library]:
    lowered = lower(network, "fused", target)
    return lowered, our_library(lowered, folder / f"{network.name}.so")


def _measure(
    network: Network, library: Library, peers: Collection[str], folder: Path, rounds: int
) -> tuple[dict[str, list[dict[str, float]]], dict[str, str]]:
    """What `engine_process.py` reports of each engine, in turns, ours first; why others have none.

    The first round is not kept.
    """
    made, failed = peer_engines(network, peers, folder)
    engines = {ENGINE: our_engine(library), **made}
    x = network.example_input()
    np.save(folder / "input.npy", x)
    expected = network.reference(x)
    reports: dict[str, list[dict[str, float]]] = {name: [] for name in engines}
    for kept in track([False] + rounds * [True], description="processes", transient=True):
        for name in list(reports):
            key = of_network(name, network)
            with failure_noted(key, name, failed):
                report = _one_process(engines[name], folder, expected.size)
                check_output(name, network, np.load(folder / "output.npy"), expected)
                if kept:
                    reports[name].append(report)
            if key in failed:
                del reports[name]
    return reports, failed


def _each(reports: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [report[name] for report in reports]


def _one_process(engine: Engine, folder: Path, outputs: int) -> dict[str, float]:
    report = folder / "report.json"
    files = [str(folder / "input.npy"), str(folder / "output.npy"), str(outputs), str(report)]
    script = str(FOLDER / "engine_process.py")
    command = [sys.executable, "-Es", script, engine.name, engine.model, *files]
    done = run_limited(engine.name, command, LIMIT_S)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EngineError(f"{engine.name} failed: {last}")
    return json.loads(report.read_text(encoding="utf-8"))


def _example(lowered: Lowered, target: CompileTarget, folder: Path, *, static: bool) -> Path:
    """Our packaged C example, built in `folder` with a picture beside it."""
    library = packaged_library(lowered, target, folder, static=static)
    picture = np.random.default_rng(0).integers(0, 256, (*PICTURE, 3), np.uint8)
    Image.fromarray(picture).save(folder / "picture.ppm")
    return build_program(folder / "classify.c", library, target)


def _peak_bytes(program: Path) -> int:
    """Highest resident set of `program`, which classifies its picture."""
    launcher = compiled_once(FOLDER / "peak_memory.c", (), "")
    command = [str(launcher), str(program), str(program.parent / "picture.ppm")]
    done = run_limited(program.name, command, LIMIT_S)
    if done.returncode != 0:
        raise EngineError(f"{program.name} failed: {done.stderr.strip()}")
    return 1024 * int(done.stdout.splitlines()[-1])


def _row(
    suite: str,
    network: Network,
    target: CompileTarget,
    engine: str,
    unit: str,
    samples: list[float],
    **more: object,
) -> Row:
    return report_row(
        suite,
        target,
        network=network,
        engine=engine,
        level="fused" if engine == ENGINE else None,
        threads=1,
        kind="measured",
        unit=unit,
        samples=samples,
        **more,
    )
