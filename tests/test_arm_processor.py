"""What other engines read of a core agrees with what we know of it."""

from __future__ import annotations

import pytest

from deploy_rpc.arm_processor import ARM_PROCESSORS, ArmProcessor, arm_processor
from deploy_rpc.core_models import MODELS
from deploy_rpc.cores import UnknownCoreError, find_core
from deploy_rpc.emulator import emulated_cores


@pytest.mark.parametrize("processor", ARM_PROCESSORS, ids=lambda each: each.core)
def test_a_core_says_that_it_has_float16_where_it_has(processor: ArmProcessor) -> None:
    words = processor.features.split()
    assert ("asimdhp" in words) == ("fphp" in words) == find_core(processor.core).half


def test_every_core_that_is_emulated_and_modelled_is_described() -> None:
    refused = {"cortex-a53", "cortex-a55"}  # see `core_models`
    modelled = {name for name in MODELS if name in emulated_cores()} - refused
    assert modelled <= {processor.core for processor in ARM_PROCESSORS}


def test_cpuinfo_has_a_paragraph_a_core() -> None:
    text = arm_processor("neoverse-n1").cpuinfo(4)
    assert text.count("CPU part\t: 0xd0c\n") == 4
    assert [line for line in text.splitlines() if line.startswith("processor")] == [
        f"processor\t: {index}" for index in range(4)
    ]


def test_a_core_nobody_described_is_refused() -> None:
    with pytest.raises(UnknownCoreError, match=r"unknown core .*'cortex-a77'; known: cortex-a72"):
        arm_processor("cortex-a77")
