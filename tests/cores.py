"""Cores that schedules and passes are tried on, whatever machine runs the tests."""

from __future__ import annotations

import dataclasses

from compile.targets import CompileTarget, host_target
from deploy_rpc.cores import Core, find_core

A72, N1 = find_core("cortex-a72"), find_core("neoverse-n1")  # planes
AVX512 = dataclasses.replace(  # channels in the lanes, where that pays
    A72, name="avx512", isa="x86_64", vector_bits=512, macs_per_cycle=32, l1d_kib=48
)
AVX2 = dataclasses.replace(
    AVX512, name="avx2", vector_bits=256, vector_registers=16, macs_per_cycle=16
)
BOTH = (A72, AVX512)


def host_with_schedules_of(core: Core) -> CompileTarget:
    """This machine's code, with the schedules and layouts that `core` would get."""
    return dataclasses.replace(host_target(), core=core)
