"""The table of any rows: what tells them apart, their median, and everything else they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.columns import IDENTITY, split_columns
from bench.report_page.content import Column, Table
from bench.report_page.numbers import number, percent, quantity, ratio
from bench.rows import Row

HEADINGS = {  # of columns whose name does not say it: heading, factor
    "macs": ("M MACs", 1e-6),
    "bytes": ("KiB", 1 / 1024),
    "gflops": ("GFLOP/s", 1),
    "instructions": ("M instructions", 1e-6),
    "loads": ("M loads", 1e-6),
    "stores": ("M stores", 1e-6),
    "l1_misses": ("k L1 misses", 1e-3),
    "l2_misses": ("k L2 misses", 1e-3),
    "memory_bytes": ("memory, MB", 1e-6),
}
UNITS = {"ms": "ms", "us": "us", "ns": "ns", "mb": "MB", "bytes": "bytes"}  # by a name's last word
SHARES = ("share", "coverage", "error")
RATIOS = ("speedup", "slowdown", "to_fastest")
INNER = {  # shown otherwise, or of no interest
    "samples", "interval", "median", "calls_per_sample", "correlation", "sum_of_kernels",
}  # fmt: skip


def rows_table(rows: Sequence[Row], *, has_total: bool = False) -> Table:
    """A column for each plain field in which `rows` differ; the other ones go into the caption.

    The columns that `conditions` names, because all rows share them, are left out.
    """
    shared, identity = split_columns(rows)
    fields = dict.fromkeys(name for row in rows for name in row)
    plain = [name for name in fields if name not in (*INNER, *IDENTITY) and _is_plain(rows, name)]
    facts, varying = split_columns(rows, plain)
    columns = [
        *((Column(name, is_number=False), _reader(name, str)) for name in identity),
        *_median_columns(rows, shared.get("unit")),
        *sorted((_column(name, rows) for name in varying), key=lambda each: not each[0].is_number),
    ]
    body = [[cell(row) for _, cell in columns] for row in rows]
    return Table(_caption(facts), [column for column, _ in columns], body, has_total)


def _median_columns(rows: Sequence[Row], unit: object) -> list[tuple[Column, Callable[[Row], str]]]:
    """The median in `unit`, or each in its own; then how sure it is."""
    median = Column(f"median, {unit}" if unit else "median", is_number=True)
    columns = [(median, lambda row: _median(row, unit))]
    if any(row.get("interval") for row in rows):
        columns.append((Column("95 % interval", is_number=True), _interval))
    elif any(len(row["samples"]) > 1 for row in rows):
        columns.append((Column("least to most", is_number=True), _spread))
    return columns


def _median(row: Row, unit: object) -> str:
    return number(row["median"]) if unit else quantity(row["median"], row["unit"])


def _interval(row: Row) -> str:
    return "{} to {}".format(*map(number, row["interval"])) if row.get("interval") else "-"


def _spread(row: Row) -> str:
    return f"{number(min(row['samples']))} to {number(max(row['samples']))}"


def _caption(facts: dict[str, object]) -> str:
    """What holds for every row, beside the conditions."""
    parts = []
    for name, value in facts.items():
        row = {name: value}
        column, cell = _column(name, [row])
        parts.append(f"{column.heading} {cell(row)}")
    return "In all rows: " + ", ".join(parts) if parts else ""


def _is_plain(rows: Sequence[Row], name: str) -> bool:
    return not any(isinstance(row.get(name), (list, dict)) for row in rows)


def _column(name: str, rows: Sequence[Row]) -> tuple[Column, Callable[[Row], str]]:
    """The column of the field `name`, and what writes a row's cell."""
    values = [row.get(name) for row in rows if row.get(name) is not None]
    words = name.replace("_", " ")
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return Column(words, is_number=False), _reader(name, str)
    heading, write = _number_format(name, words)
    return Column(heading, is_number=True), _reader(name, write)


def _number_format(name: str, words: str) -> tuple[str, Callable[[float], str]]:
    """The heading of a column of numbers, with its unit, and how a number is written."""
    if name in HEADINGS:
        heading, factor = HEADINGS[name]
        return heading, lambda value: number(float(factor * value))
    if name.endswith(SHARES):
        return words, percent
    if any(part in name for part in RATIOS):
        return words, ratio
    stem, _, last = words.rpartition(" ")
    return (f"{stem}, {UNITS[last]}" if stem and last in UNITS else words), number


def _reader(name: str, write: Callable[..., str]) -> Callable[[Row], str]:
    return lambda row: "-" if row.get(name) is None else write(row[name])
