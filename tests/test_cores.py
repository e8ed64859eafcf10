"""The tables of cores and boards: their facts agree with each other and with LLVM."""

from __future__ import annotations

import pytest
from tvm.target import Target, codegen

from deploy_rpc.boards import BOARDS, Board, find_board
from deploy_rpc.cores import CORES, Core, UnknownCoreError, find_core
from deploy_rpc.host import host_core

LINE_BYTES = 64  # of a cache line, on every core of the table


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_llvm_knows_every_core(core: Core) -> None:
    target = Target({"kind": "llvm", "mtriple": f"{core.isa}-linux-gnu", "mcpu": core.llvm_cpu})
    assert codegen.llvm_get_vector_width(target) >= core.vector_bits


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_float16_is_where_llvm_has_it(core: Core) -> None:
    target = Target({"kind": "llvm", "mtriple": f"{core.isa}-linux-gnu", "mcpu": core.llvm_cpu})
    assert core.half == codegen.target_has_features("fullfp16", target)


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_products_of_four_int8_are_where_llvm_has_them(core: Core) -> None:
    target = Target({"kind": "llvm", "mtriple": f"{core.isa}-linux-gnu", "mcpu": core.llvm_cpu})
    assert core.dot == codegen.target_has_features("dotprod", target)


def test_a_core_has_twice_the_lanes_and_multiply_adds_of_float16() -> None:
    core = find_core("neoverse-n1")
    half = core.of("float16")
    assert (half.lanes, half.macs_per_cycle, half.value_bytes) == (8, 16, 2)
    assert half.of("float16") == half
    assert half.of("float32") == core == core.of("float32")


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_caches_divide_into_whole_sets_of_a_power_of_two(core: Core) -> None:
    for kib, ways in ((core.l1d_kib, core.l1d_ways), (core.l2_kib, core.l2_ways)):
        sets, rest = divmod(kib * 1024, ways * LINE_BYTES)
        assert rest == 0
        assert sets & (sets - 1) == 0


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_peak_is_half_a_vector_or_whole_ones_per_cycle(core: Core) -> None:
    assert core.lanes == 4
    assert core.macs_per_cycle in (core.lanes // 2, core.lanes, 2 * core.lanes, 4 * core.lanes)


@pytest.mark.parametrize(("name", "gflops"), [("rpi4", 14.4), ("rk3399", 14.4), ("rpi5", 38.4)])
def test_peak_of_a_board_s_core_is_clock_times_two_flop_a_mac(name: str, gflops: float) -> None:
    board = find_board(name)
    assert 2 * find_core(board.core).macs_per_cycle * board.clock_mhz / 1e3 == pytest.approx(gflops)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_board_has_a_core_of_the_table(board: Board) -> None:
    assert find_core(board.core).isa in ("aarch64", "arm")
    assert board.threads >= 1


def test_names_are_unique() -> None:
    assert len({core.name for core in CORES}) == len(CORES)
    assert len({board.name for board in BOARDS}) == len(BOARDS)


def test_an_unknown_core_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(
        UnknownCoreError, match=r"unknown core 'cortex-72'.*did you mean cortex-a72"
    ):
        find_core("cortex-72")


def test_an_unknown_board_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(UnknownCoreError, match=r"unknown board 'rpi44'.*did you mean rpi4"):
        find_board("rpi44")


def test_this_machine_is_described_like_a_core() -> None:
    core = host_core()
    assert core.vector_bits >= 128
    assert core.l1d_kib >= 8
    assert core.l2_kib >= core.l1d_kib
