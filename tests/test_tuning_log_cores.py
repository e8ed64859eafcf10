"""The cores that logs are kept for, and the order in which one stands in for another."""

from __future__ import annotations

import pytest
from tvm.target import Target, codegen

from compile.targets import parse_target
from compile.tuning.log_cores import core_named, fallbacks_of, log_name
from deploy_rpc.cores import CORES, UnknownCoreError, find_core
from deploy_rpc.host import float_vector_bits, host_core
from deploy_rpc.x86_cores import AVX2_LEVEL, AVX2_LEVEL_ADDS, X86_CORES, X86Core


@pytest.mark.parametrize("row", X86_CORES, ids=lambda row: row.llvm_cpu)
def test_llvm_agrees_on_the_vectors_of_a_core(row: X86Core) -> None:
    assert float_vector_bits(Target({"kind": "llvm", "mcpu": row.llvm_cpu})) == row.vector_bits


@pytest.mark.parametrize(
    "core", [*CORES, host_core(), *(row.core for row in X86_CORES)], ids=lambda core: core.name
)
def test_a_core_is_found_again_by_the_name_in_its_records(core: object) -> None:
    assert core_named(log_name(core)).llvm_cpu == core.llvm_cpu


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(UnknownCoreError, match="x86_64-i486"):
        core_named("x86_64-i486")


def test_x86_cores_take_records_of_their_vector_width_the_nearest_first() -> None:
    assert fallbacks_of(core_named("x86_64-znver3"))[:3] == (
        "x86_64-znver2",
        "x86_64-znver1",
        "x86_64-raptorlake",
    )
    cascadelake = fallbacks_of(core_named("x86_64-cascadelake"))
    assert cascadelake[:2] == ("x86_64-icelake-client", "x86_64-skylake-avx512")
    assert cascadelake[-2:] == ("x86_64-znver5", "x86_64-znver4")


def test_an_x86_core_without_a_row_takes_those_of_its_width() -> None:
    avx2 = parse_target('{"kind": "llvm", "mcpu": "lunarlake", "mtriple": "x86_64-linux-gnu"}')
    assert log_name(avx2.core) == "x86_64-lunarlake"
    assert set(fallbacks_of(avx2.core)) == {
        row.core.name for row in X86_CORES if row.vector_bits == avx2.core.vector_bits
    }


@pytest.mark.parametrize("cpu", [*(row.llvm_cpu for row in X86_CORES), "lunarlake"])
def test_the_avx2_level_is_the_last_to_stand_in_and_for_its_width_alone(cpu: str) -> None:
    target = f'{{"kind": "llvm", "mcpu": "{cpu}", "mtriple": "x86_64-linux-gnu"}}'
    core, level = parse_target(target).core, f"x86_64-{AVX2_LEVEL}"
    if core.vector_bits == 256 and cpu != AVX2_LEVEL:
        assert fallbacks_of(core)[-1] == level
    else:
        assert level not in fallbacks_of(core)


def test_llvm_knows_the_instructions_of_the_avx2_level() -> None:
    level, below = (Target({"kind": "llvm", "mcpu": cpu}) for cpu in (AVX2_LEVEL, "x86-64-v2"))
    assert all(codegen.target_has_features(name, level) for name in AVX2_LEVEL_ADDS)
    assert not any(codegen.target_has_features(name, below) for name in AVX2_LEVEL_ADDS)


def test_arm_cores_have_a_table_of_their_own() -> None:
    assert fallbacks_of(find_core("cortex-a78")) == ("cortex-a76", "neoverse-n1")
    assert fallbacks_of(find_core("cortex-a53")) == ()
