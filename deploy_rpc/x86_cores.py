"""x86 cores that are not this machine: what a schedule needs to know of each, one row a core."""

from __future__ import annotations

from dataclasses import dataclass

from deploy_rpc.cores import Core

ANY_VENDOR = ""
AVX2_LEVEL = "x86-64-v3"  # of the x86-64 psABI: no core, but code for any with AVX2 and FMA
AVX2_LEVEL_ADDS = ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")  # to level 2


@dataclass(frozen=True)
class X86Core:
    """What decides over tiles; caches are those of one core, `vector_bits` those of its FMAs."""

    llvm_cpu: str
    vendor: str
    vector_bits: int
    l1d_kib: int
    l1d_ways: int
    l2_kib: int
    l2_ways: int

    @property
    def core(self) -> Core:
        """As a core that schedules are made for, of two FMA units."""
        registers = 32 if self.vector_bits == 512 else 16
        return Core(
            f"x86_64-{self.llvm_cpu}", "x86_64", self.llvm_cpu, self.vector_bits, registers,
            self.vector_bits // 16, self.l1d_kib, self.l1d_ways, self.l2_kib, self.l2_ways,
        )  # fmt: skip


# Of one vendor the oldest first. Sources: Intel's and AMD's optimisation manuals. The level has the
# caches that most rows of its vector width have.
# fmt: off
X86_CORES = (
    #        llvm_cpu          vendor   bits l1d ways    l2 ways
    X86Core(AVX2_LEVEL,    ANY_VENDOR,   256, 32,  8,   512,  8),
    X86Core("haswell",         "Intel",  256, 32,  8,   256,  8),
    X86Core("broadwell",       "Intel",  256, 32,  8,   256,  8),
    X86Core("skylake",         "Intel",  256, 32,  8,   256,  4),
    X86Core("alderlake",       "Intel",  256, 48, 12,  1280, 10),
    X86Core("raptorlake",      "Intel",  256, 48, 12,  2048, 16),
    X86Core("znver1",          "AMD",    256, 32,  8,   512,  8),
    X86Core("znver2",          "AMD",    256, 32,  8,   512,  8),
    X86Core("znver3",          "AMD",    256, 32,  8,   512,  8),
    X86Core("skylake-avx512",  "Intel",  512, 32,  8,  1024, 16),
    X86Core("cascadelake",     "Intel",  512, 32,  8,  1024, 16),
    X86Core("icelake-client",  "Intel",  512, 48, 12,   512,  8),
    X86Core("tigerlake",       "Intel",  512, 48, 12,  1280, 20),
    X86Core("icelake-server",  "Intel",  512, 48, 12,  1280, 20),
    X86Core("sapphirerapids",  "Intel",  512, 48, 12,  2048, 16),
    X86Core("emeraldrapids",   "Intel",  512, 48, 12,  2048, 16),
    X86Core("graniterapids",   "Intel",  512, 48, 12,  2048, 16),
    X86Core("znver4",          "AMD",    512, 32,  8,  1024,  8),
    X86Core("znver5",          "AMD",    512, 48, 12,  1024, 16),
)
# fmt: on


def x86_core(llvm_cpu: str) -> Core | None:
    """The core of the table that LLVM calls so; None where it holds none."""
    return next((row.core for row in X86_CORES if row.llvm_cpu == llvm_cpu), None)
