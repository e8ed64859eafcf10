"""The paper's trade-off: networks of equal complexity with 1, 2, 3, 4 and 8 groups, timed in turns.

More groups buy more channels for the same multiply-adds (section 3.2 of the paper), and smaller
matrices and more bytes with them: what those cost is the time above the multiply-adds.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bench.our_networks import modelled_core, modelled_inference, our_row, time_ours
from bench.rows import Row
from bench.turns import Timing
from compile.lower import Lowered, lower
from compile.network import Network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Core
from model.cli import phase

GROUPS = (1, 2, 3, 4, 8)
MODELS = [f"shufflenet-1.0x-g{groups}" for groups in GROUPS]


def measure_groups(
    networks: Sequence[Network], level: str, target: CompileTarget, board: BoardSpec, rounds: int
) -> list[Row]:
    """A row for each of `networks`, which share the shape of their input."""
    decisions = recorded_decisions(TUNING_LOGS, target.core)
    with phase(f"lower {len(networks)} networks to {level}"):
        rungs = {
            network.name: lower(network, level, target, decisions=decisions) for network in networks
        }
    if board.kind == "modelled":
        return [_modelled_row(lowered, target, board) for lowered in rungs.values()]
    timings = time_ours(rungs, board, rounds)
    return [_measured_row(rungs[name], timing) for name, timing in timings.items()]


def _measured_row(lowered: Lowered, timing: Timing) -> Row:
    row = _row(lowered, "measured", "ms", timing.samples_ms)
    gflops = 2e-6 * lowered.macs / row["median"]
    return row | {"gflops": gflops, "memory_bytes": timing.memory_bytes}


def _modelled_row(lowered: Lowered, target: CompileTarget, board: BoardSpec) -> Row:
    core = modelled_core(target, board)
    with phase(f"model {lowered.network.name} on {core.name}"):
        report, _ = modelled_inference(lowered, core)
    row = _row(lowered, "modelled", "Mcycles", [report.cycles / 1e6], core)
    peak_share = lowered.macs / report.cycles / core.macs_per_cycle
    return row | {"peak_share": peak_share, "llvm_model": report.llvm_model}


def _row(
    lowered: Lowered, kind: str, unit: str, samples: Sequence[float], core: Core | None = None
) -> Row:
    return our_row(
        "groups",
        lowered,
        kind,
        unit,
        samples,
        core,
        macs=lowered.macs,
        parameters=lowered.network.parameters,
        weights_bytes=lowered.weights_bytes,
        activation_bytes=lowered.workspace.bytes,
    )


def groups_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_groups` makes; each against the first."""
    first = rows[0]
    table = Table(
        "model",
        "input",
        "level",
        title=f"One inference, {first['kind']}, one thread, median of {len(first['samples'])}",
        title_justify="left",
    )
    unit = first["unit"]
    for column in ("M MACs", "M parameters", unit, "of the first", f"{unit} a G MACs", "of first"):
        table.add_column(column, justify="right")
    for row in rows:
        each = 1e9 * row["median"] / row["macs"]
        of_first = 1e9 * first["median"] / first["macs"]
        table.add_row(
            row["model"],
            row["input"],
            row["level"],
            f"{row['macs'] / 1e6:.1f}",
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['median']:.3f}",
            f"{row['median'] / first['median']:.2f}x",
            f"{each:.2f}",
            f"{each / of_first:.2f}x",
        )
    return table
