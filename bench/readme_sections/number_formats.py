"""What each number format takes of a modelled core's cycles, and of memory."""

from __future__ import annotations

from typing import Any

from bench.committed_reports import committed_report
from bench.readme_sections.committed import section, several

TARGETS = {
    "float32": "neoverse-n1",
    "float16": "neoverse-n1-float16",
    "int8": "neoverse-n1-int8",
}
HEADINGS = ("model", "number format", "level", "modelled", "of float32", "library")


def number_formats_section() -> str:
    """A row a format, model and level; the share is of the same model and level in float32."""
    ladders = {dtype: committed_report("fusion", name) for dtype, name in TARGETS.items()}
    sizes = {dtype: committed_report("size", name) for dtype, name in TARGETS.items()}
    whole = {_key(row): row["median"] for row in ladders["float32"].rows}
    rows = [
        (
            row["model"],
            dtype,
            row["level"],
            f"{row['median']:.2f} {row['unit']}",
            f"{row['median'] / whole[_key(row)]:.3f}",
            _bytes({_key(each): each["median"] for each in sizes[dtype].rows}.get(_key(row))),
        )
        for dtype, ladder in ladders.items()
        for row in ladder.rows
        if row["level"] != "unfused"
    ]
    what = "Modelled Neoverse N1, one thread, random weights; tuned where there are records"
    reports = (*ladders.values(), *sizes.values())
    return section(HEADINGS, rows, *several(what, reports))


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["model"], row["level"]


def _bytes(size: int | None) -> str:
    return f"{size:,} bytes" if size else ""
