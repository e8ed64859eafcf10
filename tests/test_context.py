"""The context of a report names the processor and what its vectors are, and guesses nothing."""

from __future__ import annotations

import platform

import pytest

from bench.context import cpu_name


@pytest.mark.parametrize(
    ("flags", "extension"),
    [
        ("fpu sse sse4_2 avx avx2 fma avx512f", "AVX-512"),
        ("fpu sse sse4_2 avx avx2 fma", "AVX2"),
        ("fpu sse sse4_2 avx avx512_not_f", "AVX"),
        ("fpu sse sse4_2", "SSE4.2"),
    ],
)
def test_the_widest_extension_among_the_flags_is_named(flags: str, extension: str) -> None:
    cpuinfo = f"processor\t: 0\nmodel name\t: Fast CPU\nflags\t\t: {flags}\n"
    assert cpu_name(cpuinfo) == f"Fast CPU {extension}"


def test_an_old_processor_gets_no_extension_it_does_not_have() -> None:
    assert cpu_name("model name\t: Old CPU\nflags\t\t: fpu sse sse2\n") == "Old CPU"


def test_an_arm_core_without_a_model_name_is_called_by_its_machine() -> None:
    cpuinfo = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32\nCPU part\t: 0xd08\n"
    assert cpu_name(cpuinfo) == f"{platform.processor() or platform.machine()} NEON"


def test_without_cpuinfo_there_is_still_a_name() -> None:
    assert cpu_name("") == (platform.processor() or platform.machine())
