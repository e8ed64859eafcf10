"""Other engines on this machine, beside ours: the same weights and input, one core, in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rich.table import Table

from bench.engine_output import correlation
from bench.our_networks import our_entry
from bench.peer_files import of_network, peer_engines
from bench.rows import ENGINE, Row, report_row
from bench.turns import Entry, Timing, time_in_turns
from compile.lower import Lowered, lower, redecided
from compile.network import Network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from model.cli import phase


def measure_peers_here(
    network: Network, target: CompileTarget, rounds: int, peers: Collection[str]
) -> tuple[list[Row], dict[str, str]]:
    """A row for each engine, ours first; and why each of `peers` that has none is not measured.

    All compute in the target's dtype. Ours is there fused and, where this machine has tuning
    records, tuned. Rows of int8 have the `correlation` of their output with float32's.
    """
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        rungs = our_rungs(network, target)
        entries, failed = engine_entries(network, rungs, peers, Path(name))
        timings, refused = time_in_turns(entries, rounds, target.dtype)
    failed |= {of_network(entries[key].engine.name, network): why for key, why in refused.items()}
    macs = rungs[0].macs
    rows = [entry_row(entries[key], target, timing, macs) for key, timing in timings.items()]
    if target.dtype == "int8":
        expected = network.reference(network.example_input())
        for row, timing in zip(rows, timings.values(), strict=True):
            row["correlation"] = correlation(timing.output, expected)
    return rows, failed


def our_rungs(network: Network, target: CompileTarget) -> list[Lowered]:
    """`network` at level fused, and at level tuned where a record decides one of its kernels."""
    decisions = recorded_decisions(TUNING_LOGS, target.core)
    fused = lower(network, "fused", target)
    tuned = redecided(fused, decisions)
    return [fused, tuned] if tuned.takes_records else [fused]


def engine_entries(
    network: Network, rungs: Sequence[Lowered], peers: Collection[str], folder: Path
) -> tuple[dict[str, Entry], dict[str, str]]:
    """Ours of `rungs`, by level, and `peers`, by name; and why a peer has no entry.

    All are of `network`, which is checked by integers in rungs of int8; their files are made in
    `folder`.
    """
    entries = {}
    with phase(f"build {network.name}, {' and '.join(rung.level for rung in rungs)}"):
        for rung in rungs:
            entries[rung.level] = our_entry(rung, folder / f"{rung.level}.so")
    made, failed = peer_engines(network, peers, folder, rungs[0].target.dtype)
    return entries | {name: Entry(network, engine) for name, engine in made.items()}, failed


def entry_row(entry: Entry, target: CompileTarget, timing: Timing, macs: int) -> Row:
    """The row of `entry`, which took `timing` for its network's `macs`."""
    return peer_row(entry.network, entry.engine.name, entry.level, target, timing, macs)


def peer_row(
    network: Network,
    engine: str,
    level: str | None,
    target: CompileTarget,
    timing: Timing,
    macs: int,
) -> Row:
    """The row of `engine` on one thread, which took `timing` for the `macs` of `network`."""
    return report_row(
        "peers",
        target,
        network=network,
        engine=engine,
        level=level,
        threads=1,
        kind="measured",
        unit="ms",
        samples=timing.samples_ms,
        macs=macs,
        gflops=2e-6 * macs / timing.median_ms,
        memory_bytes=timing.memory_bytes,
        calls_per_sample=timing.calls,
    )


def measured_peers_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_peers_here` makes."""
    table = Table(
        "model",
        "input",
        "engine",
        title=f"Time of one inference, measured, {rows[0]['threads']} thread(s), "
        f"{len(rows[0]['samples'])} interleaved rounds",
        title_justify="left",
        caption="memory: beyond a Python process with NumPy and the input",
    )
    for column in ("median", "95 % interval", "GFLOP/s", "of ours", "memory"):
        table.add_column(column, justify="right")
    ours = fastest_of_ours(rows)
    for row in rows:
        low, high = row["interval"]
        level = f" {row['level']}" if row["level"] else ""
        table.add_row(
            row["model"],
            row["input"],
            row["engine"] + level,
            f"{row['median']:.3f} ms",
            f"{low:.3f} to {high:.3f}",
            f"{row['gflops']:.1f}",
            f"{row['median'] / ours[row['model'], row['input']]:.2f}x",
            f"{row['memory_bytes'] / 1e6:.1f} MB",
        )
    return table


def fastest_of_ours(rows: Sequence[Row]) -> Mapping[tuple[str, str], float]:
    """The median of our fastest level, by model and input."""
    ours: dict[tuple[str, str], float] = {}
    for row in rows:
        if row["engine"] == ENGINE:
            key = row["model"], row["input"]
            ours[key] = min(row["median"], ours.get(key, row["median"]))
    return ours
