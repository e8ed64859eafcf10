"""The cores that logs are kept for: their names, what is known of them, and who may stand in.

A core of the table has its own name; any other one, such as this machine's, is named by its
instruction set and LLVM's name of it: `x86_64-znver3`.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy_rpc.cores import CORES, Core, find_core
from deploy_rpc.host import host_core

FALLBACKS = {  # nearest first
    "cortex-a73": ("cortex-a72",),
    "cortex-a76": ("neoverse-n1",),  # Arm made the N1 from it
    "neoverse-n1": ("cortex-a76",),
    "cortex-a78": ("cortex-a76", "neoverse-n1"),
    "cortex-x1": ("cortex-a78", "cortex-a76", "neoverse-n1"),
    "neoverse-n2": ("neoverse-n1",),
}


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


# Of one vendor the oldest first. Sources: Intel's and AMD's optimisation manuals.
# fmt: off
X86_CORES = (
    #        llvm_cpu          vendor   bits l1d ways    l2 ways
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


def log_name(core: Core) -> str:
    """The folder of the logs for `core`, and the name of it in records."""
    return core.name if core in CORES else f"{core.isa}-{core.llvm_cpu or 'generic'}"


def core_named(name: str) -> Core:
    """The core whose `log_name` is `name`; raises `UnknownCoreError`.

    Of this machine's kind it is this machine, whose caches the kernel tells.
    """
    if name == log_name(host_core()):
        return host_core()
    for each in X86_CORES:
        if name == each.core.name:
            return each.core
    return find_core(name)


def fallbacks_of(core: Core) -> tuple[str, ...]:
    """By `log_name` the other cores whose records may decide for `core`, nearest first.

    For x86 those of the same vector width: first of the same vendor, the nearest generation first
    and the newer of two as near, then of the other vendor, the newest first.
    """
    if core.isa != "x86_64":
        return FALLBACKS.get(core.name, ())
    alike = [each for each in X86_CORES if each.vector_bits == core.vector_bits]
    own = next((each for each in alike if each.llvm_cpu == core.llvm_cpu), None)
    newest_first = alike[::-1]
    if own is not None:
        place = alike.index(own)
        newest_first.sort(
            key=lambda each: (
                each.vendor != own.vendor,
                abs(alike.index(each) - place) if each.vendor == own.vendor else 0,
            )
        )
    return tuple(each.core.name for each in newest_first if each is not own)
