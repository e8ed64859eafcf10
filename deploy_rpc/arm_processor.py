"""What Linux tells programs of an ARM core: its part number and its features.

Engines choose their code by them: by `fphp asimdhp` whether they compute in float16, by `asimddp`
whether in dot products of int8, by the part how they schedule.

Sources: `part` is MIDR_EL1's of each core's Technical Reference Manual; the features are those of
/proc/cpuinfo on BCM2711 (A72), BCM2712 (A76), Graviton2 (N1).
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy_rpc.cores import UnknownCoreError, unknown_name


@dataclass(frozen=True)
class ArmProcessor:
    """Of one core of the table `deploy_rpc/cores.py`."""

    core: str
    part: int
    features: str

    def cpuinfo(self, cores: int) -> str:
        """The text of /proc/cpuinfo of so many."""
        return "".join(
            CPUINFO.format(index=index, part=self.part, features=self.features)
            for index in range(cores)
        )


CPUINFO = """\
processor\t: {index}
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: {part:#x}
CPU revision\t: 3

"""
V8_0 = "fp asimd evtstrm crc32 cpuid"
V8_2 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp"
)

# fmt: off
ARM_PROCESSORS = (
    ArmProcessor("cortex-a72",  0xD08, V8_0),
    ArmProcessor("cortex-a76",  0xD0B, V8_2),
    ArmProcessor("neoverse-n1", 0xD0C, f"{V8_2} ssbs"),
)
# fmt: on


def arm_processor(core: str) -> ArmProcessor:
    """The row of `core`; raises `UnknownCoreError` that names the nearest ones."""
    for processor in ARM_PROCESSORS:
        if processor.core == core:
            return processor
    known = [processor.core for processor in ARM_PROCESSORS]
    raise UnknownCoreError(unknown_name("core with a description for other engines", core, known))
