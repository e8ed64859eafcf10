"""Vectors keep the ports of loads and stores busy as they do on Zen 3 and 5, no other model's."""

from __future__ import annotations

import pytest

from deploy_rpc.block_counts import Block
from deploy_rpc.isa import AARCH64, X86_64
from deploy_rpc.memory_ports import busy_cycles

LOAD, STORE = "vmovups 32(%rax), %ymm0", "vmovups %ymm0, 32(%rax)"
FMA = "vfmadd231ps 32(%rax), %ymm2, %ymm3 # ymm3 = (ymm2 * mem) + ymm3"
SCALAR = "movq 32(%rax), %rbx"


@pytest.mark.parametrize(
    ("model", "lines", "split_loads", "split_stores", "line_stores", "cycles"),
    [
        pytest.param("znver3", [LOAD] * 4, 0, 0, 0, 20, id="two loads a cycle"),
        pytest.param("znver3", [LOAD, FMA], 10, 0, 0, 15, id="a split one takes a cycle"),
        pytest.param("znver3", [STORE] * 2, 0, 0, 0, 20, id="a store a cycle"),
        pytest.param("znver3", [STORE] * 2, 0, 20, 0, 40, id="a split one takes two"),
        pytest.param("znver3", [LOAD] * 4 + [STORE], 0, 0, 0, 20, id="ports work side by side"),
        pytest.param("znver3", [SCALAR] * 4, 0, 0, 0, 0, id="of vectors only"),
        pytest.param("znver5", [LOAD] * 4, 0, 20, 0, 20, id="Zen 5: two loads a cycle"),
        pytest.param("znver5", [LOAD, FMA], 10, 20, 0, 15, id="Zen 5: a split one takes a cycle"),
        pytest.param("znver5", [STORE] * 2, 0, 20, 0, 10, id="Zen 5: two stores, pieces are none"),
        pytest.param("znver5", [STORE] * 2, 0, 20, 10, 15, id="Zen 5: of two lines, a cycle"),
    ],
)
def test_the_dearer_port_is_busy_for_so_long(
    model: str,
    lines: list[str],
    split_loads: int,
    split_stores: int,
    line_stores: int,
    cycles: float,
) -> None:
    block = Block(0, 10, (), split_loads, split_stores, line_stores)
    assert busy_cycles(block, lines, model, X86_64) == cycles


def test_other_models_are_taken_as_they_are() -> None:
    block = Block(0, 10, (), 10, 10)
    assert busy_cycles(block, [LOAD, STORE], "sapphirerapids", X86_64) == 0
    assert busy_cycles(block, ["ldr q0, [x0]"], "cortex-a72", AARCH64) == 0
