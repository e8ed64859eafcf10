"""What an engine's authors publish of real boards, beside what the cycle model says of the engine.

Source: ncnn's benchmark/README.md as of 2026-07-22 (a4d2ea1d4422): `benchncnn` with one thread on
the big cores and no GPU, the least time of its network "shufflenet", which is 1x g3 at 224x224, as
`min` of 8 runs (RK3399) or 10 (Raspberry Pi 4), times the clock that the page names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from bench.rows import Row

ENGINE, MODEL, INPUT = "ncnn", "shufflenet-1.0x-g3", "224x224"


@dataclass(frozen=True)
class PublishedTime:
    """Of one inference, one thread, on a `board` whose `core` runs at `clock_mhz`."""

    board: str
    core: str
    clock_mhz: int
    ms: float

    @property
    def mcycles(self) -> float:
        """Millions of cycles of that clock."""
        return self.ms * self.clock_mhz / 1e3


# fmt: off
PUBLISHED_TIMES = (
    PublishedTime("Rockchip RK3399 (NanoPC-T4)", "cortex-a72", 1800, 38.90),
    PublishedTime("Raspberry Pi 4 Model B",      "cortex-a72", 1800, 47.17),
)
# fmt: on


def published_and_modelled(rows: Sequence[Row]) -> Iterator[tuple[PublishedTime, float, float]]:
    """Each published time with what the suite peers' `rows` model of it, in Mcycles, and by how
    much the published cycles are more; nothing where they have no row of that engine and network.
    """
    of_it = {"engine": ENGINE, "model": MODEL, "input": INPUT, "kind": "modelled"}
    modelled = {
        row["core"]: row["median"]
        for row in rows
        if all(row[name] == value for name, value in of_it.items())
    }
    for each in PUBLISHED_TIMES:
        if each.core in modelled:
            yield each, modelled[each.core], each.mcycles / modelled[each.core]


def published_table(rows: Sequence[Row], source: str) -> Table:
    """Of the `rows` of suite peers that the report `source` has."""
    table = Table(
        title=f"{ENGINE} on real boards, as its authors publish it, and as the model has it: "
        f"{MODEL}, one thread",
        title_justify="left",
        caption=f"modelled: {source}; it knows no cache misses and no mispredicted branches",
        caption_justify="left",
    )
    table.add_column("board", no_wrap=True)
    for column in ("ms", "MHz", "Mcycles", "modelled Mcycles", "published / modelled"):
        table.add_column(column, justify="right")
    for each, mcycles, factor in published_and_modelled(rows):
        table.add_row(
            each.board,
            f"{each.ms:.2f}",
            str(each.clock_mhz),
            f"{each.mcycles:.1f}",
            f"{mcycles:.1f}",
            f"{factor:.2f}x",
        )
    return table
