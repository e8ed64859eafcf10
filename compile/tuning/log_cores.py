"""The cores that logs are kept for: their names, what is known of them, and who may stand in.

A core of the table has its own name; any other one, such as this machine's, is named by its
instruction set and LLVM's name of it: `x86_64-znver3`.
"""

from __future__ import annotations

from deploy_rpc.cores import CORES, Core, find_core
from deploy_rpc.host import host_core
from deploy_rpc.x86_cores import X86_CORES

FALLBACKS = {  # nearest first
    "cortex-a73": ("cortex-a72",),
    "cortex-a76": ("neoverse-n1",),  # Arm made the N1 from it
    "neoverse-n1": ("cortex-a76",),
    "cortex-a78": ("cortex-a76", "neoverse-n1"),
    "cortex-x1": ("cortex-a78", "cortex-a76", "neoverse-n1"),
    "neoverse-n2": ("neoverse-n1",),
}


def log_name(core: Core) -> str:
    """The folder of the logs for `core`, and the name of it in records."""
    return core.name if core in CORES else f"{core.isa}-{core.llvm_cpu or 'generic'}"


def core_named(name: str) -> Core:
    """The core whose `log_name` is `name`; raises `UnknownCoreError`.

    Of this machine's kind it is this machine, whose caches the kernel tells.
    """
    if name == log_name(host_core()):
        return host_core()
    return next((row.core for row in X86_CORES if row.core.name == name), None) or find_core(name)


def fallbacks_of(core: Core) -> tuple[str, ...]:
    """By `log_name` the other cores whose records may decide for `core`, nearest first.

    For x86 those of the same vector width: first of the same vendor, the nearest generation first
    and the newer of two as near, then of the other vendor, the newest first. The level of the
    psABI, which is the table's first row and of no vendor, is the last of all.
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
