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
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track
from rich.table import Table

from bench.engines import (
    Engine,
    EngineError,
    check_output,
    missing_engines,
    prepare_engines,
)
from bench.limited import run_limited
from bench.packaged import build_program, packaged_library
from bench.rows import ENGINE, Row, report_row
from compile.library import Library, build_library
from compile.link import find_linker
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
) -> Iterator[Row]:
    """A row for each engine, and for our C example with the shared and the static library."""
    with tempfile.TemporaryDirectory() as name:
        lowered, library, engines = _prepare(network, target, Path(name), peers)
        ours = {
            "weights_bytes": lowered.weights_bytes,
            "workspace_bytes": library.workspace_bytes,
        }
        for engine, reports in _measure(network, engines, Path(name), rounds).items():
            samples = [report["memory_bytes"] / 1e6 for report in reports]
            of = ours if engine == ENGINE else {}
            yield _row("memory", network, target, engine, "MB", samples, process="Python", **of)
        programs = {
            SHARED: _example(lowered, target, Path(name) / "shared", static=False),
            STATIC: _example(lowered, with_abi(target, "musl"), Path(name) / "static", static=True),
        }
        for process, program in programs.items():
            samples = [_peak_bytes(program) / 1e6 for _ in range(rounds)]
            yield _row("memory", network, target, ENGINE, "MB", samples, process=process, **ours)


def measure_startup(
    network: Network, target: CompileTarget, rounds: int, peers: Collection[str]
) -> Iterator[Row]:
    """A row for each engine; `import_ms` is what its Python package takes before."""
    with tempfile.TemporaryDirectory() as name:
        _, _, engines = _prepare(network, target, Path(name), peers)
        for engine, reports in _measure(network, engines, Path(name), rounds).items():
            samples = [report["first_answer_ms"] for report in reports]
            imports = statistics.median(report["import_ms"] for report in reports)
            yield _row("startup", network, target, engine, "ms", samples, import_ms=imports)


def _prepare(
    network: Network, target: CompileTarget, folder: Path, peers: Collection[str]
) -> tuple[Lowered, Library, list[Engine]]:
    for engine, reason in missing_engines(peers).items():
        print(f"  {engine}: {reason}")
    lowered = lower(network, "fused", target)
    linker = find_linker("auto", target)
    library = build_library(lowered, target, linker, folder / f"{network.name}.so")
    return lowered, library, prepare_engines(network, library, folder, peers)


def _measure(
    network: Network, engines: Sequence[Engine], folder: Path, rounds: int
) -> dict[str, list[dict[str, float]]]:
    """What `engine_process.py` reports of each engine, in turns; the first round is not kept."""
    x = network.example_input()
    np.save(folder / "input.npy", x)
    expected = network.reference(x)
    reports: dict[str, list[dict[str, float]]] = defaultdict(list)
    for kept in track([False] + rounds * [True], description="processes", transient=True):
        for engine in engines:
            report = _one_process(engine, folder, expected.size)
            check_output(engine.name, network, np.load(folder / "output.npy"), expected)
            if kept:
                reports[engine.name].append(report)
    return reports


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


def memory_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_memory` makes."""
    table = Table("model", "engine", "process")
    columns = ("memory", "min", "max", "rounds", "weights + workspace", "beyond those")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        samples = row["samples"]
        needed = (row.get("weights_bytes", 0) + row.get("workspace_bytes", 0)) / 1e6
        known = [f"{needed:.2f} MB", f"{row['median'] - needed:.2f} MB"] if needed else ["-", "-"]
        table.add_row(
            row["model"],
            row["engine"],
            row["process"],
            *(f"{value:.2f} MB" for value in (row["median"], min(samples), max(samples))),
            str(len(samples)),
            *known,
        )
    return table


def startup_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_startup` makes."""
    table = Table("model", "engine")
    for column in ("first answer", "min", "max", "rounds", "import before"):
        table.add_column(column, justify="right")
    for row in rows:
        samples = row["samples"]
        table.add_row(
            row["model"],
            row["engine"],
            *(f"{value:.2f} ms" for value in (row["median"], min(samples), max(samples))),
            str(len(samples)),
            f"{row['import_ms']:.0f} ms",
        )
    return table
