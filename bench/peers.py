"""Other engines on the modelled board, beside ours: the same network, weights, input and price.

Each runs from its own aarch64 wheel in Python under QEMU, ours from the library that ships; what is
priced is one inference after two others, as the engine's Python interface makes it.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

import bench
from bench.engine_output import check_output
from bench.engines import ARM_PEERS_IN, Engine, our_engine
from bench.limited import EngineError
from bench.our_networks import modelled_core, our_library
from bench.peer_files import of_network, peer_engines
from bench.rows import ENGINE, Row, report_row
from compile.lower import DEFAULT_LEVEL, lower
from compile.network import Network
from compile.targets import CompileTarget
from deploy_rpc.arm_python import ArmPython, arm_python
from deploy_rpc.block_counts import CountError
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.compiled_once import compiled_once
from deploy_rpc.cores import Core, Dtype
from deploy_rpc.cycles import CycleReport, modelled_cycles
from deploy_rpc.emulated_program import ProgramError
from model.cli import phase

ENGINE_PROGRAM = "modelled_engine.py"
ARM_PACKAGES = (
    "numpy==2.3.5",
    "ncnn==1.0.20261020",
    "MNN==3.6.1",
    "onnxruntime==1.32.0",
    "ai-edge-litert==2.3.0",
)
MARK_SOURCE = Path(__file__).parent.parent / "deploy_rpc" / "cycle_model" / "mark.c"
MARK_WORDS = ("-target", "aarch64-linux-gnu.2.28", "-shared", "-fPIC")
VECTORS: dict[Dtype, re.Pattern[str]] = {  # a multiplication of whole vectors, as LLVM writes it
    "float16": re.compile(r"^fmla v\d+\.8h"),
    "int8": re.compile(r"^[su]dot v\d+\.4s"),
}
ENVIRONMENT = {  # one thread, and the same order of everything in every run
    "PYTHONHOME": "/usr",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def measure_peers(
    network: Network, target: CompileTarget, board: BoardSpec
) -> tuple[list[Row], dict[str, str]]:
    """A row for each engine that computes in the target's dtype, ours first; and why others of
    them have none.

    Outputs are compared before the cycles count. A peer that cannot make its file of the network,
    that fails, answers wrong or computes in another number format is named, and left out. Raises
    `EngineError` where ours answers wrong, `ArmPythonError` where the engines cannot be fetched.
    """
    core = modelled_core(target, board)
    peers = ARM_PEERS_IN.get(target.dtype, ())
    lowered = lower(network, DEFAULT_LEVEL, target)
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        library = our_library(lowered, folder / "network.so")
        np.save(folder / "input.npy", network.example_input())
        python = arm_python(ARM_PACKAGES, core.name)
        run = _Run(network, python, core, folder, target.dtype)
        report = run.report(our_engine(library), lowered.network)
        rows = [_row(ENGINE, network, target, core, report, lowered.macs)]
        made, failed = peer_engines(network, peers, folder, target.dtype)
        for peer, engine in made.items():
            try:
                report = run.report(engine, network)
                rows.append(_row(peer, network, target, core, report, lowered.macs))
            except (EngineError, ProgramError, CountError) as error:
                failed[of_network(peer, network)] = str(error)
    return rows, failed


def check_arithmetic(engine: str, report: CycleReport, dtype: Dtype) -> None:
    """Raises `EngineError` where none of the hottest blocks multiplies vectors of `dtype`.

    Engines fall back to float32 without a word, so that alone is not looked for.
    """
    wanted = VECTORS.get(dtype)
    lines = itertools.chain.from_iterable(block.disassembly for block in report.hottest)
    if wanted and not any(map(wanted.search, lines)):
        raise EngineError(
            f"{engine} was asked for {dtype}, but none of its {len(report.hottest)} hottest blocks "
            f"computes in it on {report.core}: no instruction matches {wanted.pattern!r}"
        )


@dataclass(frozen=True)
class _Run:
    """What all engines have in common: the network, and what and where they run."""

    network: Network
    python: ArmPython
    core: Core
    folder: Path
    dtype: Dtype

    def report(self, engine: Engine, judged_by: Network) -> CycleReport:
        """What one inference of `engine` costs, whose answer is that of `judged_by`."""
        with phase(f"run {engine.name} on board modelled:{self.core.name}"):
            report, y = self._model(engine)
        expected = judged_by.reference(judged_by.example_input())
        check_output(engine.name, judged_by, y, expected, self.dtype)
        check_arithmetic(engine.name, report, self.dtype)
        return report

    def _model(self, engine: Engine) -> tuple[CycleReport, np.ndarray]:
        output = self.folder / f"{engine.name}.npy"
        program = Path(bench.__file__).parent / ENGINE_PROGRAM
        mark = compiled_once(MARK_SOURCE, MARK_WORDS, ".so")
        values = int(np.prod(self.network.output_shape))
        given = self.folder / "input.npy"
        words = [program, engine.name, engine.model, given, output, values, mark, self.dtype]
        report = modelled_cycles(
            self.python.program,
            [str(word) for word in words],
            self.core,
            sysroot=self.python.root,
            environment=ENVIRONMENT | {"PYTHONPATH": str(self.python.packages)},
        )
        return report, np.load(output)


def _row(
    engine: str,
    network: Network,
    target: CompileTarget,
    core: Core,
    report: CycleReport,
    macs: int,
) -> Row:
    row = report_row(
        "peers",
        target,
        network=network,
        engine=engine,
        level=DEFAULT_LEVEL if engine == ENGINE else None,
        threads=1,
        kind="modelled",
        unit="Mcycles",
        samples=[report.cycles / 1e6],
        core=core,
    )
    return row | {
        "llvm_model": report.llvm_model,
        "macs": macs,
        "peak_share": macs / report.cycles / core.of(target.dtype).macs_per_cycle,
        "instructions": report.instructions,
        "loads": report.loads,
        "stores": report.stores,
        "l1_misses": report.l1_misses,
        "l2_misses": report.l2_misses,
        "coverage": report.coverage,
    }


def peers_table(rows: list[Row]) -> Table:
    """Of the rows that `measure_peers` makes."""
    table = Table(
        "model",
        "input",
        "engine",
        title=f"Modelled cycles of one inference, {rows[0]['target']}, one thread",
        title_justify="left",
        caption="misses: simulated; they cost nothing in the model",
    )
    columns = ("M instructions", "Mcycles", "of peak", "of ours", "L1 misses", "L2 misses")
    for column in columns:
        table.add_column(column, justify="right")
    ours = {(row["model"], row["input"]): row for row in rows if row["engine"] == ENGINE}
    for row in rows:
        table.add_row(
            row["model"],
            row["input"],
            row["engine"],
            f"{row['instructions'] / 1e6:.1f}",
            f"{row['median']:.2f}",
            f"{row['peak_share']:.1%}",
            f"{row['median'] / ours[row['model'], row['input']]['median']:.2f}x",
            f"{row['l1_misses'] / 1e6:.2f} M",
            f"{row['l2_misses'] / 1e6:.2f} M",
        )
    return table
