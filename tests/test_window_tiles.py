"""The default tile of a convolution over planes fits the registers and the picture."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.registers import accumulator_budget
from compile.schedules.window_tiles import (
    ACCUMULATORS_IN_REGISTERS,
    SHARE_IN_REGISTERS,
    default_tile,
    modelled_cycles,
)
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512
from tests.test_window import WORKLOADS, workload_of


@pytest.mark.parametrize("core", [A72, AVX2, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = workload_of(name)
    tile = default_tile(w, core)
    rows, columns = w.output_size
    of_arm = tile.in_registers and core is A72
    budget = ACCUMULATORS_IN_REGISTERS if of_arm else accumulator_budget(core)
    assert tile.channels * tile.rows * tile.vectors <= budget
    assert tile.channels <= w.outputs
    assert tile.rows <= rows
    whole = tile.vectors - 1 if tile.in_registers else tile.vectors  # its last one may be shorter
    assert whole * tile.lanes <= columns


def test_rows_in_registers_are_cheap_where_avx_512_finds_the_picture_in_l2() -> None:
    """Against the same window with a border of four sides, which takes a scratch."""

    def share(size: tuple[int, int], core: Core) -> float:
        w = WindowWorkload("conv", 60, 1, 1, size, (3, 3), 1, (1, 1))
        with_scratch = dataclasses.replace(w, padding=(1, 1, 1, 1))
        return modelled_cycles(w, core) / modelled_cycles(with_scratch, core)

    assert share((56, 56), AVX512) == pytest.approx(SHARE_IN_REGISTERS)
    assert share((120, 160), AVX512) == share((56, 56), AVX2) == 1
