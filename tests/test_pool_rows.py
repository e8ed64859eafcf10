"""Pools by rows in registers give, to the last bit, what the general ones give by lines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tvm

from compile.schedules.pool import pool
from compile.schedules.pool_rows import can_pool_rows
from compile.schedules.pool_tiles import default_tile
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512

HALVING = WindowWorkload("average", 5, 1, 1, (28, 28), (3, 3), 2, (1, 1))


def output_of(w: WindowWorkload, core: Core, *, in_registers: bool, threads: int = 1) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((w.channels, *w.size)).astype(np.float32)
    shape = (w.stored_channels or w.channels, *w.output_size)
    shape = (*shape[1:], shape[0]) if w.writes_channels else shape
    y = np.full(shape, np.nan, np.float32)
    tile = default_tile(w, core)
    if not in_registers:
        lanes = 1 << (w.output_size[1].bit_length() - 1)  # lines know no short rows
        tile = dataclasses.replace(tile, in_registers=False, lanes=min(tile.lanes, lanes))
    tensors = [tvm.runtime.tensor(value) for value in (x, y)]
    kernel = pool(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    return tensors[-1].numpy()


@pytest.mark.parametrize("core", [A72, AVX512])
@pytest.mark.parametrize("kind", ["average", "max"])
@pytest.mark.parametrize("size", [(28, 28), (14, 14), (2, 8), (6, 12), (10, 30), (8, 6)])
def test_rows_give_the_same_bits_as_lines(kind: str, size: tuple[int, int], core: Core) -> None:
    """Rows of 14, 6 and 15 columns of A72 end in shorter vectors, others may be short rows."""
    w = dataclasses.replace(HALVING, kind=kind, size=size, first_channel=2, stored_channels=8)
    assert default_tile(w, core).in_registers
    by_lines = output_of(w, core, in_registers=False)
    assert np.isfinite(by_lines[2:7]).all()
    np.testing.assert_array_equal(output_of(w, core, in_registers=True), by_lines)
    np.testing.assert_array_equal(output_of(w, core, in_registers=True, threads=3), by_lines)


@pytest.mark.parametrize("core", [A72, AVX2, AVX512])
@pytest.mark.parametrize("channels", [5, 8, 48])
def test_channels_come_into_the_lanes_on_the_way(channels: int, core: Core) -> None:
    """5 one by one, 8 and 48 in squares, of which the last one of a row begins earlier."""
    w = dataclasses.replace(
        HALVING, groups=channels, size=(6, 40), first_channel=2, stored_channels=channels + 3
    )
    planes = output_of(w, core, in_registers=True)[2 : channels + 2]
    changed = dataclasses.replace(w, writes_channels=True)
    for in_registers in (True, False):
        made = output_of(changed, core, in_registers=in_registers)
        np.testing.assert_array_equal(made[..., 2 : channels + 2].transpose(2, 0, 1), planes)


LEFT_ALONE = {
    "odd columns": {"size": (28, 29)},
    "odd rows": {"size": (27, 28)},
    "another window": {"kernel": (2, 2), "padding": (0, 0)},
    "stride 1": {"stride": 1},
    "no border": {"padding": (0, 0)},
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_other_pools_go_by_lines(name: str) -> None:
    w = dataclasses.replace(HALVING, **LEFT_ALONE[name])
    assert not can_pool_rows(w)
    assert not default_tile(w, A72).in_registers


def test_single_columns_go_by_lines() -> None:
    assert not default_tile(dataclasses.replace(HALVING, size=(2, 2)), A72).in_registers
