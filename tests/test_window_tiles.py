"""The default tile of a convolution over planes fits the registers and the picture."""

from __future__ import annotations

import pytest

from compile.schedules.registers import accumulator_budget
from compile.schedules.window_tiles import ACCUMULATORS_IN_REGISTERS, default_tile
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512
from tests.test_window import WORKLOADS, workload_of


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = workload_of(name)
    tile = default_tile(w, core)
    rows, columns = w.output_size
    budget = ACCUMULATORS_IN_REGISTERS if tile.in_registers else accumulator_budget(core)
    assert tile.channels * tile.rows * tile.vectors <= budget
    assert tile.channels <= w.outputs
    assert tile.rows <= rows
    whole = tile.vectors - 1 if tile.in_registers else tile.vectors  # its last one may be shorter
    assert whole * tile.lanes <= columns
