"""The default tile of a dense layer fits the core's registers."""

from __future__ import annotations

import pytest

from compile.schedules.dense_tiles import default_tile
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.registers import accumulator_budget
from deploy_rpc.cores import Core
from tests.cores import BOTH
from tests.test_dense import WORKLOADS
from tests.test_global_pool import HEADS

SHAPES = WORKLOADS | HEADS


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("name", SHAPES)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = DenseWorkload(*SHAPES[name])
    tile = default_tile(w, core)
    assert tile.sums * tile.vectors <= accumulator_budget(core)
    assert tile.width <= w.outputs
    assert tile.sums <= max(w.inputs, 1)
