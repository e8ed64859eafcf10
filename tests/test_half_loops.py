"""The inner loops of float16 on AArch64 are multiply-adds of eight lanes on registers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import made_by_default
from compile.schedules.window_workload import WindowWorkload
from compile.targets import parse_target
from tests.aarch64_loops import hot_loop

TARGET = parse_target("neoverse-n1")
LEAST_SHARE = 0.55  # of a loop's instructions that are multiply-adds

# fmt: off
POINTWISE = {  # of 1x g3
    "stage 2 GConv1": PointwiseWorkload(3, 20, 80, 784, True, False, dtype="float16"),
    "stage 2 GConv2": PointwiseWorkload(3, 80, 20, 784, True, True, dtype="float16"),
    "stage 3 GConv1": PointwiseWorkload(3, 40, 160, 196, True, False, dtype="float16"),
    "stage 3 GConv2": PointwiseWorkload(3, 160, 40, 196, True, True, dtype="float16"),
    "stage 4 GConv1": PointwiseWorkload(3, 80, 320, 49, True, False, dtype="float16"),
    "stage 4 GConv2": PointwiseWorkload(3, 320, 80, 49, True, True, dtype="float16"),
}
# fmt: on
DEPTHWISE = WindowWorkload(
    "conv", 60, 1, 1, (28, 28), (3, 3), 1, (1, 1), dtype="float16", result_dtype="float16"
)


@pytest.mark.parametrize("name", POINTWISE)
def test_a_pointwise_loop_is_multiply_adds_of_eight_lanes(name: str) -> None:
    made = made_by_default(POINTWISE[name], TARGET.core, 1)
    loop = hot_loop(made.kernel(), TARGET)
    steps = loop.fmlas / (made.tile.rows * made.tile.vectors)
    assert steps >= 1
    assert loop.count_with("fmla", ".8h") == loop.fmlas
    assert loop.conversions == 0, loop
    assert loop.spills == 0, loop
    assert loop.multiplications_apart == 0, loop
    # a step loads the vectors of X, the weights of its rows, and each pixel behind the last vector
    behind = made.workload.pixels % made.tile.lanes if made.tile.tail else 0
    assert loop.loads <= steps * (made.tile.vectors + -(-made.tile.rows // 4) + behind), loop
    assert loop.fmlas >= LEAST_SHARE * len(loop.instructions), loop


def test_a_depthwise_loop_is_multiply_adds_of_eight_lanes_and_of_four_at_the_end_of_a_row() -> None:
    made = made_by_default(DEPTHWISE, TARGET.core, 1)
    loop = hot_loop(made.kernel(), TARGET)
    whole, short = (loop.count_with("fmla", lanes) for lanes in (".8h", ".4h"))
    assert whole + short == loop.fmlas
    assert whole == 3 * short > 0
    assert loop.conversions == 0, loop
    assert loop.spills <= 1, loop  # two rows of 28 columns are eight sums beside two rows of inputs


def test_a_tile_that_fits_in_float32_is_seen_to_spill() -> None:
    """The test can fail: weights of float16 have to be in v0 to v15, and 28 sums leave too few."""
    made = made_by_default(POINTWISE["stage 2 GConv1"], TARGET.core, 1)
    large = replace(made, tile=replace(made.tile, rows=4, vectors=7))
    assert hot_loop(large.kernel(), TARGET).spills > 0
