"""What a schedule needs to know of a processor core, one row a core.

Sources: ways of the caches from each core's Technical Reference Manual; `macs`, fp32 multiply-adds
per cycle, from the throughput of a 128-bit FMLA (4 lanes) in its Software Optimization Guide: one
per cycle on A53, A55, A72 and A73, two from A76 on, four on X1. Of the A7 none is published: 2 are
the lanes of its 64-bit datapath. Cache sizes that a licensee chooses
are those of the commonest chip, which the row names. Cores with `half` have FEAT_FP16,
arithmetic on float16: an FMLA of 8 of them has the throughput of one of 4 float32 in all guides.
All of them have FEAT_DotProd, too, whose SDOT of 16 int8 has that throughput as well.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Literal

from model.errors import InputError

Dtype = Literal["float32", "float16", "int8"]
DTYPES: tuple[Dtype, ...] = ("float32", "float16", "int8")
VALUE_BITS: dict[Dtype, int] = {"float32": 32, "float16": 16, "int8": 8}


class UnknownCoreError(InputError):
    """A core or board that the tables do not hold."""


@dataclass(frozen=True)
class Core:
    """One core. `llvm_cpu` is LLVM's name for it; the L2 is what one core can use of it.

    Lanes and multiply-adds are of values of `value_bits`: the table's are float32, see `of`.
    """

    name: str
    isa: str
    llvm_cpu: str
    vector_bits: int
    vector_registers: int
    macs_per_cycle: int
    l1d_kib: int
    l1d_ways: int
    l2_kib: int
    l2_ways: int
    half: bool = False
    features: tuple[str, ...] = ()
    value_bits: int = 32

    @property
    def dot(self) -> bool:
        """Whether it has FEAT_DotProd, which came with the same generation as FEAT_FP16."""
        return self.half

    @property
    def lanes(self) -> int:
        """Values in one vector register."""
        return self.vector_bits // self.value_bits

    @property
    def value_bytes(self) -> int:
        """Of one value in memory."""
        return self.value_bits // 8

    def of(self, dtype: Dtype) -> Core:
        """The same core for values of `dtype`: lanes, and multiply-adds a cycle as the lanes."""
        bits = VALUE_BITS[dtype]
        macs = self.macs_per_cycle * self.value_bits // bits
        return replace(self, value_bits=bits, macs_per_cycle=macs)


# fmt: off
CORES = (
    #    name           isa        llvm_cpu      bits regs macs l1d ways   l2 ways  half
    Core("cortex-a7",   "arm",     "cortex-a7",   128, 16,  2, 32, 4,  512,  8),  # BCM2836
    Core("cortex-a53",  "aarch64", "cortex-a53",  128, 32,  4, 32, 4,  512, 16),  # BCM2837
    Core("cortex-a55",  "aarch64", "cortex-a55",  128, 32,  4, 32, 4,  128,  4, True),  # RK3588
    Core("cortex-a72",  "aarch64", "cortex-a72",  128, 32,  4, 32, 2, 1024, 16),  # BCM2711
    Core("cortex-a73",  "aarch64", "cortex-a73",  128, 32,  4, 32, 4, 1024, 16),  # S922X
    Core("cortex-a76",  "aarch64", "cortex-a76",  128, 32,  8, 64, 4,  512,  8, True),  # BCM2712
    Core("cortex-a78",  "aarch64", "cortex-a78",  128, 32,  8, 64, 4,  512,  8, True),
    Core("cortex-x1",   "aarch64", "cortex-x1",   128, 32, 16, 64, 4, 1024,  8, True),
    Core("neoverse-n1", "aarch64", "neoverse-n1", 128, 32,  8, 64, 4, 1024,  8, True),  # Graviton2
    Core("neoverse-n2", "aarch64", "neoverse-n2", 128, 32,  8, 64, 4, 1024,  8, True),
)
# fmt: on


def find_core(name: str) -> Core:
    """The core called `name`; raises `UnknownCoreError` that names the nearest ones."""
    for core in CORES:
        if core.name == name:
            return core
    raise UnknownCoreError(unknown_name("core", name, [core.name for core in CORES]))


def unknown_name(kind: str, name: str, known: list[str]) -> str:
    """The text of an error about a `name` that is none of `known`."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    guess = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"unknown {kind} {name!r}; known: {', '.join(known)}{guess}"
