"""The build report for a reader: what was built, verified where, how fast, as lines and tables."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table

from compile.latency import Latency, latency_table
from compile.library import Library
from compile.lower import Lowered
from compile.passes.int8_layers import chosen_layers
from compile.passes.into_int8 import CONVERSIONS
from compile.quantise.reference import KEPT
from compile.sensitivity.table import Sensitivity, sensitivity_table
from compile.verify import Verification
from model.console import table_console


def print_report(
    lowered: Lowered,
    verifications: list[Verification],
    latencies: list[Latency],
    library: Library,
) -> None:
    """Prints what was built, and a row for each level."""
    print(
        f"{lowered.network.name} for {lowered.target.name} ({lowered.target.core.name}), "
        f"{lowered.target.dtype}, level {lowered.level}: {lowered.macs / 1e6:.1f} M MACs, "
        f"{lowered.network.parameters:,} parameters"
    )
    for note in lowered.network.notes:
        print(f"note: {note}")
    print(_sizes(lowered, library))
    sources = sorted({kernel.source for kernel in lowered.kernels})
    counts = {s: sum(k.source == s for k in lowered.kernels) for s in sources}
    listed = ", ".join(f"{count} {source}" for source, count in counts.items())
    print(
        f"{len(lowered.kernels)} kernels, {sum(k.calls for k in lowered.kernels)} calls: {listed}"
    )
    _print_kept(lowered)
    removed = [f"{kind} {given} -> {left}" for kind, (given, left) in lowered.operators.items()]
    print(f"operators imported -> left: {', '.join(removed)}")
    console = table_console()
    if verifications:
        console.print(_verification_table(verifications))
    else:
        print("not verified: no board at hand runs it; see --board")
    if latencies:
        console.print(latency_table(latencies))


def print_sensitivity(sensitivity: Sensitivity, kept: Collection[str]) -> None:
    """What each layer costs in int8, and what is to be expected with layers `kept` in float32."""
    names = chosen_layers(kept, sensitivity.names)
    table_console().print(sensitivity_table(sensitivity, names))
    print(
        f"error of the logits to be expected in int8: {sensitivity.error():.4f} of their range, "
        "root mean square"
    )
    if names:
        print(
            f"with {len(names)} layers in float32, {sensitivity.share(names):.1%} of the "
            f"multiply-adds: {sensitivity.error(names):.4f}"
        )


def _print_kept(lowered: Lowered) -> None:
    """Which layers are not of int8, and what that takes."""
    kept = lowered.network.provenance.get(KEPT)
    if kept:
        conversions = sum(k.calls for k in lowered.kernels if k.name.startswith(CONVERSIONS))
        print(f"in float32: {', '.join(kept)}; {conversions} conversions from and to int8")


def _sizes(lowered: Lowered, library: Library) -> str:
    size, activations = library.path.stat().st_size, lowered.workspace.bytes
    if lowered.compute is None:
        return f"library {size:,} bytes, which needs TVM's runtime; activations {activations:,}"
    least = lowered.workspace.lower_bound
    return (
        f"library {size:,} bytes, {lowered.weights_bytes:,} of them weights; needs libc only\n"
        f"workspace {library.workspace_bytes:,} bytes: activations {activations:,}, at least "
        f"{least:,} ({activations / max(least, 1):.2f}x)"
    )


def _verification_table(rows: list[Verification]) -> Table:
    table = Table("level", title="Verification", title_justify="left")
    for column in ("output", "verified against", "on"):
        table.add_column(column)
    table.add_column("max abs error", justify="right")
    table.add_column("of the range", justify="right")
    for row in rows:
        table.add_row(
            row.level,
            row.output,
            row.reference,
            row.where,
            f"{row.max_abs_error:.2e}",
            f"{row.relative_error:.1e}",
        )
    return table
