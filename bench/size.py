"""Bytes of a network's library, and of the memory that an instance of it needs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from bench.our_networks import our_library, our_row
from bench.rows import Row
from compile.lower import lower
from compile.network import Network
from compile.targets import CompileTarget


def measure_size(network: Network, target: CompileTarget, threads: int) -> Row:
    """The row of the stripped shared library of `network` at level fused."""
    lowered = lower(network, "fused", target, threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{network.name}.so"
        library = our_library(lowered, path)
        size = path.stat().st_size
    return our_row(
        "size",
        lowered,
        "measured",
        "bytes",
        [size],
        weights_bytes=lowered.weights_bytes,
        workspace_bytes=library.workspace_bytes,
        activation_bytes=lowered.workspace.bytes,
        activation_bytes_lower_bound=lowered.workspace.lower_bound,
    )


def size_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_size` makes."""
    table = Table("model", "input", "target")
    for column in ("library", "of it weights", "the rest", "workspace", "over the lower bound"):
        table.add_column(column, justify="right")
    for row in rows:
        rest = row["median"] - row["weights_bytes"]
        least = row["activation_bytes_lower_bound"]
        sizes = (row["median"], row["weights_bytes"], rest, row["workspace_bytes"])
        table.add_row(
            row["model"],
            row["input"],
            row["target"],
            *(f"{size:,}" for size in sizes),
            f"{row['activation_bytes'] / least:.2f}x",
        )
    return table
