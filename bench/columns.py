"""Which columns tell the rows of reports apart, and which say the same in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.rows import Row

# What a row is about; two rows of one report that agree in all of these are repetitions.
IDENTITY = (
    "suite", "model", "input", "engine", "level", "kernel", "process", "target", "core", "threads",
    "kind", "unit", "dtype", "data", "weights", "layer", "kept", "board",
)  # fmt: skip


def split_columns(
    rows: Sequence[Row], names: Iterable[str] = IDENTITY
) -> tuple[dict[str, object], list[str]]:
    """Those of `names` that are the same in all `rows`, with their value, and those that differ.

    A column that no row has a value in is in neither.
    """
    same: dict[str, object] = {}
    differ = []
    for name in names:
        first = rows[0].get(name)
        if any(row.get(name) != first for row in rows):
            differ.append(name)
        elif first is not None:
            same[name] = first
    return same, differ
