"""The inner loops on AArch64 are multiply-adds on registers: nothing spilled, few loads."""

from __future__ import annotations

import dataclasses
import functools
import math

import pytest
from tvm import tirx

from compile.frontend.torch_import import import_torch
from compile.lower import legalised
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.templates import Made, made_from
from compile.schedules.window_workload import WindowWorkload
from compile.targets import parse_target
from model.zoo import create_model
from tests.aarch64_loops import Loop, hot_loop

TARGET = parse_target("arm_cpu")
MODELS = ("shufflenet-1.0x-g3", "shufflenet-1.0x-g8", "shufflenet-0.5x-g3")
MOST_SPILLS_OF_A_CHANNEL = 6  # 240x14x14 at stride 2, whose 7 x 2 accumulators read 15 rows
ON_THE_STACK = 1024  # bytes: TVM keeps a smaller scratch there, whose use looks like a spill
LEAST_SHARE = 0.55  # of a loop's instructions that are multiply-adds


@functools.cache
def kernels(model: str) -> dict[str, tuple[Made, tirx.PrimFunc]]:
    network = import_torch(
        create_model(model),
        name=model,
        input_shape=(1, 3, 224, 224),
        preprocessing="imagenet",
        provenance={},
    )
    functions = legalised(network, "fused", TARGET).functions
    made = {
        variable.name_hint: (made_from(function), function)
        for variable, function in functions.items()
        if isinstance(function, tirx.PrimFunc)
    }
    return {name: pair for name, pair in made.items() if pair[0] is not None}


def loops(model: str, kind: type) -> dict[str, tuple[Made, Loop]]:
    """Of the convolutions whose workload is of `kind`."""
    return {
        name: (made, hot_loop(function, TARGET))
        for name, (made, function) in kernels(model).items()
        if isinstance(made.workload, kind) and made.workload.macs
    }


@pytest.mark.parametrize("model", MODELS)
def test_a_pointwise_loop_is_multiply_adds_on_registers(model: str) -> None:
    found = loops(model, PointwiseWorkload)
    assert len(found) >= 10
    for name, (made, loop) in found.items():
        tile = made.tile
        steps = loop.fmlas / (tile.rows * tile.vectors)
        assert steps >= 1, name
        assert loop.spills == 0, (name, loop)
        assert loop.multiplications_apart == 0, (name, loop)
        # each step loads the vectors of X, and the weights of its rows, two scalars at a time
        assert loop.loads <= steps * (tile.vectors + -(-tile.rows // 2)), (name, loop)
        assert loop.fmlas >= LEAST_SHARE * len(loop.instructions), (name, loop)


@pytest.mark.parametrize("model", MODELS)
def test_a_window_loop_is_multiply_adds_on_registers(model: str) -> None:
    found = loops(model, WindowWorkload)
    assert len(found) >= 6
    for name, (made, loop) in found.items():
        assert loop.fmlas > 0, name
        if made.tile.in_registers:
            # all rows of a channel in one block; the first product of nine is no addition
            assert 7 * loop.multiplications_apart <= loop.fmlas, (name, loop)
            assert loop.loads <= 0.6 * loop.fmlas, (name, loop)
            assert loop.spills <= MOST_SPILLS_OF_A_CHANNEL, (name, loop)
            continue
        if 4 * math.prod(made.workload.phases_shape) >= ON_THE_STACK:
            assert loop.spills == 0, (name, loop)
        assert loop.multiplications_apart == 0, (name, loop)
        assert loop.loads <= loop.fmlas + made.tile.channels, (name, loop)


def test_the_stem_with_its_pool_is_multiply_adds_on_registers() -> None:
    ((made, loop),) = loops(MODELS[0], StemPoolWorkload).values()
    assert loop.fmlas >= LEAST_SHARE * len(loop.instructions), loop
    assert loop.spills == 0, loop
    assert loop.multiplications_apart == 0, loop
    # a tap loads four vectors of the picture and one of weights for each vector of the pool
    steps = loop.fmlas / (4 * made.tile.channels * made.tile.vectors)
    assert loop.loads <= steps * 5 * made.tile.vectors, loop


def test_a_tile_beyond_the_registers_is_seen_to_spill() -> None:
    """The test can fail: 40 accumulators do not fit 32 registers."""
    made = next(m for m, _ in kernels(MODELS[0]).values() if m.template == "pointwise")
    large = dataclasses.replace(made, tile=dataclasses.replace(made.tile, rows=10, vectors=4))
    assert hot_loop(large.kernel(), TARGET).spills > 0
