"""Counts of an ARM program's blocks are exact, and so are the simulated caches."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from deploy_rpc.block_counts import PLUGIN_SOURCE, Block, CountError, _basic_blocks, count_blocks
from deploy_rpc.cores import find_core
from deploy_rpc.emulated_program import ProgramError
from deploy_rpc.memory_waits import STORES_IN_FLIGHT
from tests.marked_program import ROUNDS, marked_loop, marked_program
from tests.needs import needs_cycle_model

A72 = find_core("cortex-a72")  # L1 of 32 KiB in 2 ways: addresses 16 KiB apart share a set
NOP, BRANCH, OTHER = ((bytes.fromhex(code),) for code in ("1f2003d5", "e0ffff54", "0000018b"))
BESIDE = ["stur q0, [x2, #-64]"] * STORES_IN_FLIGHT
READS = """
static _Alignas(65536) char data[1 << 18];
int main(void) {{
    volatile char *bytes = data;
    __asm__ volatile("hint #0x70" ::: "memory");
    for (int round = 0; round < {rounds}; round++)
        for (int i = 0; i < {count}; i++) (void)bytes[i * {stride}];
    __asm__ volatile("hint #0x71" ::: "memory");
    return 0;
}}
"""
STEPS = """
int main(void) {
    long rounds = 1000;
    __asm__ volatile("hint #0x70\\n"
                     "sub x1, sp, #8, lsl #12\\n"
                     "and x1, x1, #-64\\n"
                     "add x1, x1, #32\\n"
                     "1: ldr q0, [x1], #16\\n"
                     "subs %0, %0, #1\\n"
                     "b.ne 1b\\n"
                     "hint #0x71" : "+r"(rounds) :: "x1", "v0", "memory", "cc");
    return 0;
}
"""


@needs_cycle_model
def test_a_loop_is_one_block_that_ran_as_often_as_it_says(tmp_path: Path) -> None:
    """QEMU splits it, after 512 instructions at the latest."""
    program = marked_loop(tmp_path, ["add x2, x2, #1"] * 600)
    counts = count_blocks(program, [], A72)
    (loop,) = [block for block in counts.blocks if block.executions > 1]
    assert (loop.executions, loop.instructions) == (ROUNDS, 602)


def test_blocks_that_overlap_become_runs_of_equal_counts() -> None:
    whole = Block(0x100, 3, NOP + OTHER + BRANCH)
    tail = Block(0x104, 2, OTHER + BRANCH)
    behind = Block(0x10C, 5, NOP)
    assert list(_basic_blocks([tail, behind, whole])) == [
        Block(0x100, 3, NOP),
        Block(0x104, 5, OTHER + BRANCH),
        Block(0x10C, 5, NOP),
    ]


@needs_cycle_model
@pytest.mark.parametrize(
    ("rounds", "count", "stride", "l1_misses", "l2_misses"),
    [
        pytest.param(2, 512, 64, 512, 512, id="fits the L1: only the first round misses"),
        pytest.param(10, 2, 16384, 2, 2, id="two lines of a set fit its two ways"),
        pytest.param(10, 3, 16384, 30, 3, id="three lines in turns evict each other from the L1"),
        pytest.param(2, 2048, 64, 4096, 2048, id="128 KiB in turns fit the L2 only"),
        pytest.param(1, 256, 4, 16, 16, id="sixteen values of a line"),
    ],
)
def test_misses_of_known_patterns(
    tmp_path: Path, rounds: int, count: int, stride: int, l1_misses: int, l2_misses: int
) -> None:
    program = marked_program(tmp_path, READS.format(rounds=rounds, count=count, stride=stride))
    counts = count_blocks(program, [], A72)
    assert (counts.l1_misses, counts.l2_misses) == (l1_misses, l2_misses)


@needs_cycle_model
def test_accesses_across_a_border_are_counted_once_an_instruction(tmp_path: Path) -> None:
    """Of lines for loads, of 32 bytes for stores; QEMU may make two accesses of a vector's."""
    body = ["and x2, x1, #-64", "ldur q0, [x2, #-8]", "ldur q1, [x2, #-40]"]
    body += ["stur q0, [x2, #-72]", "stur q0, [x2, #-104]", "stur q0, [x2, #-96]"]
    counts = count_blocks(marked_loop(tmp_path, body), [], A72)
    assert sum(block.split_loads for block in counts.blocks) == ROUNDS
    assert sum(block.split_stores for block in counts.blocks) == 2 * ROUNDS
    assert sum(block.line_stores for block in counts.blocks) == ROUNDS


@needs_cycle_model
@pytest.mark.parametrize(
    ("body", "a_round"),
    [
        pytest.param(["str q0, [x2]", "ldur q1, [x2, #8]"], 1, id="half of it"),
        pytest.param(["str q0, [x2]", "ldr d1, [x2, #8]"], 0, id="part of it is forwarded"),
        pytest.param(["str q0, [x2]", "ldr q1, [x2, #16]"], 0, id="beside it"),
        pytest.param(
            ["str q0, [x2]", "str q0, [x2, #16]", "ldur q1, [x2, #8]", "ldur q2, [x2, #12]"],
            1,
            id="loads wait for the same stores together",
        ),
        pytest.param(
            ["str q0, [x2]", "ldur q1, [x2, #8]", "str q0, [x2, #16]", "ldur q2, [x2, #8]"],
            2,
            id="the second waits for a later store",
        ),
        pytest.param(
            ["str q0, [x2]", "str q0, [x2, #8]", "ldur q1, [x2, #8]"], 0, id="the last one counts"
        ),
        pytest.param(
            ["str q0, [x2]", *["nop"] * 120, "ldur q1, [x2, #8]"], 1, id="within a reorder buffer"
        ),
        pytest.param(
            ["str q0, [x2]", *["nop"] * 140, "ldur q1, [x2, #8]"], 0, id="long in the cache"
        ),
        pytest.param(
            ["str q0, [x2]", *BESIDE[1:], "ldur q1, [x2, #8]"], 1, id="the first of those in flight"
        ),
        pytest.param(
            ["str q0, [x2]", *BESIDE, "ldur q1, [x2, #8]"], 0, id="more stores than are in flight"
        ),
    ],
)
def test_loads_wait_for_stores_in_flight_that_have_some_of_their_bytes(
    tmp_path: Path, body: list[str], a_round: int
) -> None:
    program = marked_loop(tmp_path, ["and x2, x1, #-64", *body])
    counts = count_blocks(program, [], A72, in_flight=128)
    assert sum(block.waiting_loads for block in counts.blocks) == a_round * ROUNDS


@needs_cycle_model
def test_loads_that_wait_are_counted_where_they_are_asked_for(tmp_path: Path) -> None:
    """And nothing else is another then."""
    body = ["and x2, x1, #-64", "ldur q0, [x2, #-8]", "str q0, [x2]", "ldur q1, [x2, #8]"]
    program = marked_loop(tmp_path, body)
    plain, asked = (count_blocks(program, [], A72, in_flight=size) for size in (0, 128))
    assert sum(block.waiting_loads for block in asked.blocks) == ROUNDS
    blocks = (dataclasses.replace(block, waiting_loads=0) for block in asked.blocks)
    assert plain == dataclasses.replace(asked, blocks=tuple(blocks))


@needs_cycle_model
def test_rounds_of_a_loop_are_accesses_of_their_own(tmp_path: Path) -> None:
    """Each of 16 aligned bytes, two rounds together of two lines."""
    counts = count_blocks(marked_program(tmp_path, STEPS), [], A72)
    assert sum(block.split_loads + block.split_stores for block in counts.blocks) == 0


def test_the_markers_of_programs_are_spelt_in_one_place() -> None:
    sources = PLUGIN_SOURCE.parent.glob("*.c")
    assert [source.name for source in sources if "hint #0x" in source.read_text()] == []


@needs_cycle_model
def test_a_program_without_a_region_is_refused(tmp_path: Path) -> None:
    program = marked_program(tmp_path, "int main(void) { return 0; }")
    with pytest.raises(CountError, match=r"no region between hint #0x70 and hint #0x71"):
        count_blocks(program, [], A72)


@needs_cycle_model
def test_a_program_that_fails_is_an_error_with_its_words(tmp_path: Path) -> None:
    source = '#include <stdio.h>\nint main(void) { fputs("no room", stderr); return 3; }'
    with pytest.raises(ProgramError, match=r"program ended with 3 under qemu-aarch64: no room"):
        count_blocks(marked_program(tmp_path, source), [], A72)


def test_a_missing_emulator_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"qemu-aarch64 is not on the PATH .*install qemu-user"):
        count_blocks(tmp_path / "program", [], A72)
