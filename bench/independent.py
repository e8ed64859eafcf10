"""Is the bench right? Ours against ONNX Runtime, by the bench's workers and without them.

Without them: the packaged library in a C loop (`own_loop.c`), and the same ONNX file in ONNX
Runtime's own session loop (`own_loop_onnxruntime.py`), a fresh process for every sample, in turns.
The two ratios have to agree within `TOLERANCE`.
"""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from bench.engines import Engine, missing_engines, our_engine
from bench.kernel_timing import samples_in_turns
from bench.limited import EngineError, run_limited
from bench.packaged import build_program, packaged_library
from bench.peer_files import PeerFiles
from bench.rows import ENGINE, Row, report_row
from bench.turns import Entry, time_in_turns
from compile.library import Library
from compile.lower import lower
from compile.network import Network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.affinity import pinned_to_cores

PEER = "onnxruntime"
TOLERANCE = 0.05
LOOP_S = 0.5
LIMIT_S = 120
FOLDER = Path(__file__).parent
WORKERS, OWN_LOOP = "bench worker", "its own loop"  # the column `process` of the rows


def measure_independently(
    network: Network, level: str, target: CompileTarget, rounds: int
) -> list[Row]:
    """Four rows: ours and ONNX Runtime, by the bench's workers and in loops of their own.

    Raises `EngineError` where ONNX Runtime is not installed.
    """
    if missing := missing_engines([PEER]):
        raise EngineError(f"the check is made against {PEER}: {missing[PEER]}")
    decisions = recorded_decisions(TUNING_LOGS, target.core)
    with tempfile.TemporaryDirectory(prefix="independent-") as name:
        folder = Path(name)
        lowered = lower(network, level, target, decisions=decisions)
        library = packaged_library(lowered, target, folder / "package")
        onnx = PeerFiles(network, folder).engine(PEER)
        engines = (our_engine(library), onnx)
        timings, failed = time_in_turns(
            {engine.name: Entry(network, engine) for engine in engines}, rounds
        )
        if failed:
            raise EngineError(failed[PEER])
        loops = _own_loops(network, library, onnx, target, folder, rounds)
    samples = {(engine, WORKERS): timing.samples_ms for engine, timing in timings.items()}
    samples |= {(engine, OWN_LOOP): times for engine, times in loops.items()}
    return [
        report_row(
            "independent",
            target,
            network=network,
            engine=engine,
            level=level if engine == ENGINE else None,
            threads=1,
            kind="measured",
            unit="ms",
            samples=times,
            process=process,
        )
        for (engine, process), times in samples.items()
    ]


def _own_loops(
    network: Network,
    library: Library,
    onnx: Engine,
    target: CompileTarget,
    folder: Path,
    rounds: int,
) -> dict[str, list[float]]:
    x = network.example_input()
    np.save(folder / "input.npy", x)
    x.tofile(folder / "input.raw")
    prefix = library.prefix
    defines = {
        "HEADER": f'"{library.path.stem}.h"',
        "NETWORK": prefix,
        "INPUTS": f"{prefix.upper()}_INPUT_VALUES",
        "OUTPUTS": f"{prefix.upper()}_OUTPUT_VALUES",
    }
    words = tuple(f"-D{name}={value}" for name, value in defines.items())
    program = build_program(FOLDER / "own_loop.c", library, target, words)
    script = [sys.executable, "-Es", str(FOLDER / "own_loop_onnxruntime.py"), onnx.model]
    commands = {
        ENGINE: [str(program), str(folder / "input.raw"), str(LOOP_S)],
        PEER: [*script, str(folder / "input.npy"), str(LOOP_S)],
    }
    sample = {
        engine: functools.partial(_printed, engine, command) for engine, command in commands.items()
    }
    with pinned_to_cores(1):
        return samples_in_turns(sample, rounds, "fresh processes")


def _printed(engine: str, command: Sequence[str]) -> float:
    done = run_limited(f"{engine}'s own loop", command, LIMIT_S)
    if done.returncode != 0:
        raise EngineError(f"{engine}'s own loop failed: {done.stderr.strip()[-200:]}")
    return float(done.stdout)


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """ONNX Runtime's median over ours, by process."""
    median = {(row["engine"], row["process"]): row["median"] for row in rows}
    return {process: median[PEER, process] / median[ENGINE, process] for process in
            (WORKERS, OWN_LOOP)}  # fmt: skip


def independent_table(rows: Sequence[Row]) -> Table:
    """Of the four rows that `measure_independently` makes of one network."""
    ratio = ratios(rows)
    change = ratio[OWN_LOOP] / ratio[WORKERS] - 1
    verdict = "agrees" if abs(change) <= TOLERANCE else "does not agree"
    table = Table(
        "model",
        "measured by",
        title=f"{PEER} over {ENGINE}: {ratio[WORKERS]:.3f} by the bench's workers, "
        f"{ratio[OWN_LOOP]:.3f} without them ({change:+.1%}; {verdict} within {TOLERANCE:.0%})",
        title_justify="left",
    )
    for column in (f"{ENGINE} ms", f"{PEER} ms", "ratio"):
        table.add_column(column, justify="right")
    median = {(row["engine"], row["process"]): row["median"] for row in rows}
    for process, value in ratio.items():
        table.add_row(
            rows[0]["model"],
            process,
            *(f"{median[engine, process]:.3f}" for engine in (ENGINE, PEER)),
            f"{value:.3f}",
        )
    return table
