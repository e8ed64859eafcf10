"""A block waits for its own stores where silicon does, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from deploy_rpc.memory_waits import COMMIT_CYCLES, Timing, Waits, has_waits, waits_of
from deploy_rpc.operands import x86_operation

LOAD, ADD = 8, 3  # cycles
SPILLED_SUM = (
    "vmovups 32(%rsp), %ymm0",
    "vaddps %ymm1, %ymm0, %ymm0",
    "vmovups %ymm0, 32(%rsp)",
)


def waits(*texts: str, loops: bool = True) -> Waits:
    operations = [x86_operation(text) for text in texts]
    assert has_waits(operations)
    latencies = [_latency(text) for text in texts]
    timing = Timing(tuple(latencies), LOAD, width=6)
    return waits_of(operations, timing, reorder_buffer=256, loops=loops)


def _latency(text: str) -> int:
    operation = x86_operation(text)
    if operation.access and operation.access.stores:
        return 1
    return (LOAD if operation.access else 0) + (ADD if "vadd" in text else 0) or 1


def test_a_spilled_sum_goes_on_through_memory() -> None:
    assert waits(*SPILLED_SUM).forwarded == pytest.approx(LOAD + ADD + 1)


def test_a_sum_in_a_register_waits_for_its_additions_only() -> None:
    kept = ("vaddps %ymm1, %ymm0, %ymm0", "vmovups %ymm0, 32(%rsp)", "vmovups 32(%rsp), %ymm2")
    assert waits(*kept).forwarded == pytest.approx(ADD)


def test_a_load_across_a_store_and_its_neighbour_waits_for_the_cache() -> None:
    across = waits("vmovups %ymm1, 32(%rsp)", "vmovups 36(%rsp), %ymm0")
    assert across.forwarded < 1
    assert across.blocked == pytest.approx(COMMIT_CYCLES + LOAD, abs=1)


def test_part_of_a_store_is_forwarded() -> None:
    part = waits("vmovups %ymm1, 32(%rsp)", "vmovups 48(%rsp), %xmm0")
    assert part.blocked == part.forwarded < 1


def test_a_moving_address_is_another_one() -> None:
    moving = waits(
        "vmovups (%rdi), %ymm0",
        "vaddps %ymm1, %ymm0, %ymm0",
        "vmovups %ymm0, (%rdi)",
        "addq $32, %rdi",
    )
    assert moving.blocked == pytest.approx(1, abs=0.2)  # the address's own chain


def test_where_another_block_runs_between_only_the_stack_stays_where_it_was() -> None:
    assert waits(*SPILLED_SUM, loops=False).forwarded == pytest.approx(LOAD + ADD + 1)
    elsewhere = [text.replace("rsp", "rdi") for text in SPILLED_SUM]
    assert waits(*elsewhere).forwarded == pytest.approx(LOAD + ADD + 1)
    assert waits(*elsewhere, loops=False).forwarded < 1


@pytest.mark.parametrize(
    "texts",
    [
        ("vmovups (%rdi), %ymm0", "vmovups %ymm0, (%rsi)"),
        ("vmovups (%rdi), %ymm0", "vmovups %ymm0, 32(%rdi)"),
        ("vaddps %ymm1, %ymm0, %ymm0",),
    ],
)
def test_blocks_without_waits_are_told_apart(texts: Sequence[str]) -> None:
    assert not has_waits([x86_operation(text) for text in texts])


def test_a_chain_is_hidden_behind_work_and_a_blocked_load_is_not() -> None:
    assert Waits(forwarded=12, blocked=12).mend(20) == 20
    assert Waits(forwarded=12, blocked=12).mend(9) == 12
    assert Waits(forwarded=12, blocked=30).mend(20) == 38
