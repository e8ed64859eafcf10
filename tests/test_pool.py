"""Pools over planes give PyTorch's answers, border by border."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tvm

from compile.schedules.pool import pool
from compile.schedules.pool_tiles import PoolTile, default_tile
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512
from tests.test_window import definition

# fmt: off
POOLS = {
    "max pool":           ("max",     6,  1,  1, (15, 15),   (3, 3),   2, (1, 1), False),
    "max pool, no border": ("max",    6,  1,  1, (13, 13),   (3, 3),   2, (0, 0), False),
    "average pool":       ("average", 6,  1,  1, (14, 14),   (3, 3),   2, (1, 1), False),
    "large average":      ("average", 3,  1,  1, (13, 18),   (3, 3),   3, (0, 0), False),
    "at its own pace":     ("max",     6,  1,  1, (9, 11),    (2, 3),   1, (0, 1), False),
    "border not counted":  ("average_inside", 6, 1, 1, (14, 13), (3, 3), 2, (1, 1), False),
    "last window overhangs": ("average_inside", 6, 1, 1, (28, 28), (3, 3), 2, (0, 0, 1, 1), False),
    "borders of two":      ("average", 6,  1,  1, (7, 9),     (5, 5),   1, (2, 2), False),
    "nine rows of taps":   ("average", 6,  1,  1, (12, 7),    (9, 3),   2, (4, 1), False),
    "max, border behind":  ("max",     6,  1,  1, (16, 12),   (3, 3),   2, (0, 0, 1, 1), False),
    "narrower than a vector": ("average", 4, 1, 1, (5, 3),    (3, 3),   2, (1, 1), False),
}
# fmt: on


def workload_of(name: str) -> WindowWorkload:
    return WindowWorkload(*POOLS[name])


def error_of(w: WindowWorkload, tile: PoolTile, threads: int = 1) -> float:
    """Largest difference between kernel and definition; negative inputs, so that borders show."""
    x = np.random.default_rng(0).standard_normal((w.channels, *w.size)).astype(np.float32) - 3
    stored = w.stored_channels or w.channels
    shape = (*w.output_size, stored) if w.writes_channels else (stored, *w.output_size)
    y = tvm.runtime.tensor(np.full(shape, np.nan, np.float32))
    kernel = pool(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](tvm.runtime.tensor(x), y)
    written = y.numpy().transpose(2, 0, 1) if w.writes_channels else y.numpy()
    own = np.s_[w.first_channel : w.first_channel + w.channels]
    assert np.isnan(np.delete(written, own, axis=0)).all()
    nothing = np.zeros(0, np.float32)
    return np.abs(written[own] - definition(w, x, nothing, nothing)).max()


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", POOLS)
def test_every_pool_gives_pytorchs_answer(name: str, core: Core) -> None:
    w = workload_of(name)
    assert error_of(w, default_tile(w, core)) < 1e-6  # float32 means of at most 9 values around 3


@pytest.mark.parametrize("writes_channels", [True, False])
def test_a_half_of_a_concat_leaves_the_other_alone(writes_channels: bool) -> None:
    w = dataclasses.replace(
        workload_of("average pool"),
        first_channel=5,
        stored_channels=20,
        writes_channels=writes_channels,
    )
    assert error_of(w, default_tile(w, AVX512)) < 1e-6


@pytest.mark.parametrize("name", ["max pool", "average pool", "border not counted"])
def test_threads_change_nothing(name: str) -> None:
    w = workload_of(name)
    assert error_of(w, default_tile(w, A72), threads=2) < 1e-6


def test_a_pool_has_no_weights_and_no_macs() -> None:
    w = workload_of("max pool")
    assert w.macs == 0
    assert len(pool(w, default_tile(w, A72), 1).params) == 2
