"""What a reader of modelled rows has to know of the cores' pipeline models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.rows import Row
from deploy_rpc.core_models import model_doubts
from deploy_rpc.cores import CORES


def model_warnings(rows: Sequence[Row]) -> Iterator[str]:
    """A sentence for each doubt of a core that `rows` were modelled on; needs llvm-mca."""
    names = {row["core"] for row in rows if row["kind"] == "modelled"}
    for core in CORES:
        if core.name in names:
            for doubt in model_doubts(core):
                yield f"LLVM's model of {core.name} prices otherwise than published ({doubt})"
