"""The build report: what was built, from what, verified where, how fast; as JSON and as tables."""

from __future__ import annotations

import hashlib
import platform
import statistics
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.table import Table
from tvm.target import codegen

from compile.aot.header_outputs import output_fields
from compile.library import Library
from compile.lower import Lowered
from compile.passes.int8_layers import chosen_layers
from compile.passes.into_int8 import CONVERSIONS
from compile.quantise.reference import KEPT
from compile.sensitivity.table import Sensitivity, sensitivity_table
from compile.verify import Verification
from model.console import table_console

REPORTED_PACKAGES = ("shufflenet-compiled", "apache-tvm", "apache-tvm-ffi", "torch", "ziglang")


@dataclass(frozen=True)
class Latency:
    """Times of one level; `where` says on what they were taken, `kind` how, `note` what to know."""

    level: str
    kind: str
    unit: str
    where: str
    threads: int
    samples: list[float]
    note: str | None = None

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)


def build_report(
    lowered: Lowered,
    verifications: list[Verification],
    latencies: list[Latency],
    library: Library,
    logs: Mapping[str, str],
) -> dict[str, Any]:
    """The JSON beside a library, of which `deploy_rpc` reads `model`, `target`, `threads`,
    `interface`, `library_sha256`.

    `logs` are the tuning logs that it was built from, each with its SHA-256.
    """
    network, target = lowered.network, lowered.target
    return {
        "model": {
            "name": network.name,
            "input_shape": list(network.input_shape),
            "outputs": [
                asdict(output) | {"field": field}
                for output, field in zip(
                    network.outputs, output_fields(network.outputs), strict=True
                )
            ],
            "preprocessing": network.preprocessing,
            "parameters": network.parameters,
            "macs": lowered.macs,
            **network.provenance,
        },
        "target": {
            "name": target.name,
            "core": target.core.name,
            "isa": target.core.isa,
            "triple": target.triple,
            "tvm": str(target.tvm),
        },
        "dtype": target.dtype,
        "level": lowered.level,
        "threads": lowered.threads,
        "versions": versions(),
        "interface": library.prefix,
        "tuning_logs": dict(logs),
        "library_bytes": library.path.stat().st_size,
        "library_sha256": hashlib.sha256(library.path.read_bytes()).hexdigest(),
        "archive_bytes": library.archive.stat().st_size if library.archive else None,
        "weights_bytes": lowered.weights_bytes,
        "workspace_bytes": library.workspace_bytes,
        "activation_bytes": lowered.workspace.bytes,
        "activation_bytes_lower_bound": lowered.workspace.lower_bound,
        "operators": {
            kind: {"imported": given, "left": left}
            for kind, (given, left) in lowered.operators.items()
        },
        "kernels": [asdict(kernel) | {"workload": kernel.workload} for kernel in lowered.kernels],
        "verification": [
            asdict(row) | {"relative_error": row.relative_error} for row in verifications
        ],
        "latencies": [asdict(row) | {"median": row.median} for row in latencies],
    }


def print_report(
    lowered: Lowered,
    verifications: list[Verification],
    latencies: list[Latency],
    library: Library,
) -> None:
    """The same for a reader: what was built, and a row for each level."""
    print(
        f"{lowered.network.name} for {lowered.target.name} ({lowered.target.core.name}), "
        f"{lowered.target.dtype}, level {lowered.level}: {lowered.macs / 1e6:.1f} M MACs, "
        f"{lowered.network.parameters:,} parameters"
    )
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


def latency_table(rows: list[Latency]) -> Table:
    """Every level against the first one, and against the one above."""
    baseline = rows[0]
    what = "Modelled cycles" if baseline.kind == "modelled" else "Time"
    rounds = len(baseline.samples)
    turns = f"{rounds} interleaved rounds, " if rounds > 1 else ""
    title = f"{what} of one inference, {turns}on {baseline.where}"
    table = Table("level", "kind", title=title, title_justify="left", caption=baseline.note)
    for column in ("threads", "median", "min", "max", f"over {baseline.level}", "over row above"):
        table.add_column(column, justify="right")
    for above, row in zip([baseline, *rows], rows, strict=False):
        table.add_row(
            row.level,
            row.kind,
            str(row.threads),
            *(
                f"{value:.2f} {row.unit}"
                for value in (row.median, min(row.samples), max(row.samples))
            ),
            f"{baseline.median / row.median:.2f}x",
            f"{above.median / row.median:.2f}x",
        )
    return table


def versions() -> dict[str, str | None]:
    """What took part in a build, by name; None where a package is not installed."""
    return {
        "python": platform.python_version(),
        "llvm": str(codegen.llvm_version_major()),
        **{name: _version(name) for name in REPORTED_PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # ziglang, where another linker links
        return None
