"""This machine as a core of the table: what LLVM, the CPU flags and the kernel say of it."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

from tvm.target import Target, codegen

from deploy_rpc.cores import Core

ISAS = {"AMD64": "x86_64", "arm64": "aarch64", "armv7l": "arm", "armv6l": "arm"}
X86_VECTOR_BITS = (("avx512f", 512), ("avx", 256))
CACHE_FOLDER = Path("/sys/devices/system/cpu/cpu0/cache")
DEFAULT_CACHES = {1: (32, 8), 2: (512, 8)}  # KiB and ways, where the kernel does not tell


@functools.cache
def host_core() -> Core:
    """This machine's core. `macs_per_cycle` assumes two fused multiply-add units."""
    cpu = codegen.llvm_get_system_cpu()
    vector_bits = float_vector_bits(Target({"kind": "llvm", "mcpu": cpu}))
    isa = machine_isa()
    (l1_kib, l1_ways), (l2_kib, l2_ways) = _cache(1), _cache(2)
    return Core(
        name="host",
        isa=isa,
        llvm_cpu=cpu,
        vector_bits=vector_bits,
        vector_registers=32 if vector_bits == 512 or isa == "aarch64" else 16,
        macs_per_cycle=2 * vector_bits // 32,
        l1d_kib=l1_kib,
        l1d_ways=l1_ways,
        l2_kib=l2_kib,
        l2_ways=l2_ways,
    )


def machine_isa() -> str:
    """This machine's instruction set, as `elf_machine` names it."""
    return ISAS.get(platform.machine(), platform.machine())


def float_vector_bits(target: Target) -> int:
    """Bits of the widest vectors of float32 that an LLVM target has: 128 on NEON and SSE.

    By its features, as `llvm_get_vector_width` of TVM 0.27 says 512 for every x86.
    """
    widths = (bits for name, bits in X86_VECTOR_BITS if codegen.target_has_features(name, target))
    return next(widths, 128)


def _cache(level: int) -> tuple[int, int]:
    """Size in KiB and ways of the data or unified cache of `level`."""
    for index in sorted(CACHE_FOLDER.glob("index*")):
        facts = {name: _read(index / name) for name in ("level", "type", "size")}
        is_asked = facts["level"] == str(level) and facts["type"] in ("Data", "Unified")
        if is_asked and facts["size"]:  # some ARM kernels do not tell sizes
            ways = _read(index / "ways_of_associativity")
            return int(facts["size"].removesuffix("K")), int(ways or DEFAULT_CACHES[level][1])
    return DEFAULT_CACHES[level]


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip() if path.exists() else ""
