"""The default tile of a window with channels in the lanes fits the registers and the picture."""

from __future__ import annotations

import pytest

from compile.schedules.registers import accumulator_budget
from compile.schedules.window_channels_tiles import default_tile
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512
from tests.test_window_channels import WORKLOADS, in_channels


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = in_channels(name)
    tile = default_tile(w, core)
    assert tile.pixels * tile.vectors <= accumulator_budget(core)
    assert tile.pixels <= w.output_size[1]
    assert tile.width <= (w.channels if w.is_channelwise else w.outputs)
