"""Where the modelled cycles of one network go: a row for each kernel, and the whole network."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bench.our_networks import modelled_core, modelled_inference, our_row
from bench.rows import Row
from compile.kernels import Kernel
from compile.lower import Lowered, lower
from compile.network import Network
from compile.price_network import in_words, note_on, price_network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport
from model.cli import phase

WHOLE = "the network"


def measure_modelled_layers(
    network: Network, level: str, target: CompileTarget, board: BoardSpec, threads: int = 1
) -> list[Row]:
    """A row for each kernel of `network`, priced alone, and one of a whole inference, last.

    The inference's output is verified. `peak_share` is that of the multiply-adds a cycle of as many
    cores as there are `threads`; of several each kernel is its longest share, the whole their sum.
    """
    core = modelled_core(target, board)
    with phase(f"lower to {level}"):
        decisions = recorded_decisions(TUNING_LOGS, target.core)
        lowered = lower(network, level, target, threads=threads, decisions=decisions)
    with phase(f"model {len(lowered.kernels)} kernels on {core.name}"):
        price = price_network(lowered, core)
    with phase(f"model one inference on {core.name}"):
        whole, _ = modelled_inference(lowered, core, price)
    rows = [_kernel_row(lowered, core, kernel, report, whole) for kernel, report in price.kernels]
    return [*rows, _row(lowered, core, whole, WHOLE, network.name, 1, lowered.macs, whole)]


def _kernel_row(
    lowered: Lowered, core: Core, kernel: Kernel, report: CycleReport, whole: CycleReport
) -> Row:
    row = _row(
        lowered, core, report, kernel.name, kernel.workload, kernel.calls, kernel.macs, whole
    )
    return row | {"bytes": kernel.bytes, "source": kernel.source}


def _row(
    lowered: Lowered,
    core: Core,
    report: CycleReport,
    name: str,
    workload: str,
    calls: int,
    macs: int,
    whole: CycleReport,
) -> Row:
    row = our_row("layers", lowered, "modelled", "kcycles", [report.cycles / 1e3], core)
    note = note_on(lowered.threads)
    macs_per_cycle = core.of(lowered.target.dtype).macs_per_cycle
    row |= {"note": note} if note else {}
    return row | {
        "kernel": name,
        "workload": workload,
        "calls": calls,
        "macs": macs,
        "peak_share": macs / report.cycles / (macs_per_cycle * lowered.threads),
        "network_share": calls * report.cycles / whole.cycles,
        "instructions": report.instructions,
        "loads": report.loads,
        "stores": report.stores,
        "l1_misses": report.l1_misses,
        "l2_misses": report.l2_misses,
        "llvm_model": report.llvm_model,
    }


def modelled_layers_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_modelled_layers` makes of one network."""
    total = rows[-1]
    table = Table(
        title=f"{total['model']}, {total['input']}, {total['level']}: modelled cycles, "
        f"{total['core']}, {in_words(total['threads'])}",
        title_justify="left",
        caption="misses: simulated, of one call with warm caches; they cost nothing in the model",
    )
    table.add_column("kernel", no_wrap=True)
    table.add_column("workload", overflow="fold", min_width=12)
    columns = ("calls", "M MACs", "kcycles", "of peak", "of network", "L1 misses", "L2 misses")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        if row is total:
            table.add_section()
        table.add_row(
            row["kernel"],
            row["workload"],
            str(row["calls"]),
            f"{row['macs'] / 1e6:.2f}",
            f"{row['median']:.1f}",
            f"{row['peak_share']:.1%}" if row["macs"] else "-",
            f"{row['network_share']:.1%}",
            f"{row['l1_misses']:,}",
            f"{row['l2_misses']:,}",
        )
    return table
