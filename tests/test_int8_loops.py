"""The inner loops of int8 on a core with dot products are those, on registers."""

from __future__ import annotations

import pytest
import tvm

from compile.schedules.int8_workloads import Int8PointwiseWorkload, Int8WindowWorkload
from compile.schedules.templates import made_by_default
from compile.targets import parse_target, with_dtype
from tests.aarch64_loops import hot_loop

TARGET = with_dtype(parse_target("neoverse-n1"), "int8")
MOST_MOVES = 6  # between registers, at the end of a loop, where LLVM cannot do without

# fmt: off
POINTWISE = {  # of 1x g3
    "stage 2 GConv1": Int8PointwiseWorkload(3, 20, 80, 784, True, False, shift=3, narrow=True),
    "stage 3 GConv1": Int8PointwiseWorkload(3, 40, 160, 196, True, False, shift=3, narrow=True),
    "stage 3 GConv2": Int8PointwiseWorkload(3, 160, 40, 196, True, True, shift=3, narrow=True),
    "stage 4 GConv1": Int8PointwiseWorkload(3, 80, 320, 49, True, False, shift=3, narrow=True),
    "stage 4 GConv2": Int8PointwiseWorkload(3, 320, 80, 49, True, True, shift=3, narrow=True),
}
# fmt: on


@pytest.mark.parametrize("name", POINTWISE)
def test_a_pointwise_loop_is_dot_products_of_sixteen_values(name: str) -> None:
    made = made_by_default(POINTWISE[name], TARGET.core, 1)
    loop = hot_loop(made.kernel(), TARGET, "sdot")
    dots = loop.count_with("sdot", ".16b")
    steps = dots / (made.tile.rows * made.tile.vectors)
    assert steps >= 1
    assert steps == int(steps)
    assert loop.loads <= steps * (made.tile.vectors + 1), loop
    assert loop.count("mov") <= MOST_MOVES * steps, loop
    stored = [line for line in loop.instructions if line.startswith("st") and "[sp" in line]
    assert len(stored) <= 2, loop


@pytest.mark.parametrize("cpu", ["icelake-server", "alderlake", "znver4"])
def test_on_x86_with_vnni_products_and_sums_are_one_instruction(cpu: str) -> None:
    target = parse_target(f'{{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "{cpu}"}}')
    made = made_by_default(POINTWISE["stage 2 GConv1"], target.core, 1)
    kernel = made.kernel().with_attr("global_symbol", "main")
    text = tvm.compile(kernel, target=target.tvm).mod.inspect_source("asm")
    assert text.count("vpdpwssd") >= made.tile.rows * made.tile.vectors


def test_a_depthwise_loop_looks_taps_up_and_loads_whole_vectors() -> None:
    workload = Int8WindowWorkload(
        "conv", 60, 1, 1, (28, 28), (3, 3), 1, (1, 1), shift=3, narrow=True, zero=-128
    )
    made = made_by_default(workload, TARGET.core, 1)
    loop = hot_loop(made.kernel(), TARGET, "sdot")
    rows, vectors = made.tile.rows, 2
    assert loop.count("sdot") == 3 * rows * vectors
    assert loop.count("tbl") == (rows + 2) * vectors
    assert loop.count("ld1") == 0, loop  # of single bytes, which LLVM makes of a shuffle of few
    assert loop.count("uzp1") == rows
    assert loop.count("sqrshrn") == rows
