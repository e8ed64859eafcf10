"""Targets of the command line become TVM targets with the facts of a core."""

from __future__ import annotations

import functools
import json

import pytest

from compile import targets
from compile.targets import (
    CompileTarget,
    TargetError,
    host_target,
    parse_target,
    runs_here,
    with_abi,
    with_dtype,
)
from deploy_rpc.boards import BOARDS
from deploy_rpc.cores import CORES
from deploy_rpc.x86_cores import AVX2_LEVEL, x86_core


def test_arm_cpu_is_an_aarch64_cortex_a72() -> None:
    target = parse_target("arm_cpu")
    assert (target.name, target.core.name, target.triple) == (
        "arm_cpu",
        "cortex-a72",
        "aarch64-linux-gnu",
    )
    assert "arm_cpu" in target.tvm.keys


def test_host_is_this_machine() -> None:
    assert host_target().is_host
    assert parse_target("host").core.lanes in (4, 8, 16)


@pytest.mark.parametrize("name", [core.name for core in CORES])
def test_every_core_of_the_table_is_one_that_llvm_knows(name: str) -> None:
    target = parse_target(name)
    assert str(target.tvm.attrs["mcpu"]) == target.core.llvm_cpu
    assert not target.is_host


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_board_builds_for_its_core(board: object) -> None:
    assert parse_target(board.name).core.name == board.core


def test_a_tvm_target_of_a_known_cpu_takes_that_cores_facts() -> None:
    target = parse_target('{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a76"}')
    assert target.core.name == "cortex-a76"
    assert "/" not in target.name
    assert '"' not in target.name


def test_a_tvm_target_of_another_cpu_takes_what_llvm_says() -> None:
    target = parse_target('{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "a64fx"}')
    assert target.core.isa == "aarch64"
    assert target.core.vector_registers == 32


@pytest.mark.parametrize(
    ("cpu", "bits", "registers"),
    [
        ("skylake-avx512", 512, 32),
        ("haswell", 256, 16),
        ("sandybridge", 256, 16),
        ("nehalem", 128, 16),
    ],
)
def test_an_x86_targets_vectors_are_those_of_its_cpu(cpu: str, bits: int, registers: int) -> None:
    core = of_cpu(cpu).core
    assert (core.vector_bits, core.vector_registers) == (bits, registers)


def test_an_x86_core_of_the_table_is_built_for_by_its_facts() -> None:
    core = of_cpu("haswell").core
    assert core == x86_core("haswell")
    assert (core.macs_per_cycle, core.l2_kib) == (16, 256)
    assert of_cpu("lunarlake").core.macs_per_cycle == 16


def test_an_x86_core_whose_vectors_were_narrowed_has_not_the_facts_of_the_table() -> None:
    config = {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "znver4"}
    core = parse_target(json.dumps(config | {"mattr": ["-avx512f"]})).core
    assert (core.vector_bits, core.vector_registers) == (256, 16)


def test_code_of_the_avx2_level_runs_where_all_of_its_instructions_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    level = of_cpu(AVX2_LEVEL)
    for cpu, is_able in (("haswell", True), ("znver5", True), ("ivybridge", False)):
        monkeypatch.setattr(targets, "host_target", functools.partial(of_cpu, cpu))
        assert runs_here(level) == is_able
    assert not runs_here(with_abi(level, "musl"))


def test_code_of_another_core_is_not_taken_for_code_that_runs_here() -> None:
    assert runs_here(host_target())
    others = [parse_target("cortex-a72"), of_cpu("haswell"), of_cpu("znver4")]
    assert not any(runs_here(other) for other in others if not other.is_host)


def of_cpu(cpu: str) -> CompileTarget:
    return parse_target(f'{{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "{cpu}"}}')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cortex-a720", "cortex-a72"),
        ("", "unknown target"),
        ("{broken", "unknown target"),
        ("cuda", "only kind llvm"),
        ('{"kind": "llvm", "mtriple": "riscv64-linux-gnu"}', "riscv64-linux-gnu"),
    ],
)
def test_what_is_no_target_says_what_is(text: str, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "abi", "triple"),
    [
        ("arm_cpu", "gnu", "aarch64-linux-gnu"),
        ("arm_cpu", "musl", "aarch64-linux-musl"),
        ("rpi5", "android", "aarch64-linux-android"),
        ("rpi2", "gnu", "armv7-linux-gnueabihf"),
        ("cortex-a7", "musl", "armv7-linux-musleabihf"),
    ],
)
def test_a_target_is_built_for_boards_of_another_c_library(
    text: str, abi: str, triple: str
) -> None:
    target = with_abi(parse_target(text), abi)
    assert (target.triple, target.abi) == (triple, abi)
    assert str(target.tvm.attrs["mtriple"]) == triple
    assert target.name == (text if abi == "gnu" else f"{text}-{abi}")
    assert target.core == parse_target(text).core


def test_a_target_of_float16_says_so_in_its_name() -> None:
    target = with_dtype(parse_target("rpi5"), "float16")
    assert (target.name, target.dtype) == ("rpi5-float16", "float16")
    assert target.core == parse_target("rpi5").core
    assert with_dtype(target, "float16") is target
    assert with_abi(target, "musl").dtype == "float16"


@pytest.mark.parametrize("name", ["arm_cpu", "rpi4", "cortex-a53", "host"])
def test_a_core_without_float16_is_refused_with_those_that_have_it(name: str) -> None:
    expected = r"no float16 arithmetic \(FEAT_FP16\); expected one of cortex-a55, cortex-a76,"
    with pytest.raises(TargetError, match=expected):
        with_dtype(parse_target(name), "float16")


def test_this_machine_with_another_c_library_is_not_this_machine() -> None:
    assert not with_abi(host_target(), "musl").is_host


def test_a_c_library_that_no_such_board_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(TargetError, match="no android for arm; expected one of gnu, musl"):
        with_abi(parse_target("rpi2"), "android")
