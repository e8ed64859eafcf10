"""Only cores whose pipeline model can be believed are offered."""

from __future__ import annotations

import pytest

from deploy_rpc.block_prices import price_text
from deploy_rpc.core_models import CoreModelError, llvm_model, modelled_cores
from deploy_rpc.cores import find_core
from deploy_rpc.isa import AARCH64
from tests.marked_program import needs_cycle_model


@needs_cycle_model
def test_the_cores_offered() -> None:
    assert modelled_cores() == ("cortex-a72", "cortex-a76", "neoverse-n1", "neoverse-n2")


@needs_cycle_model
@pytest.mark.parametrize("name", ["cortex-a76", "neoverse-n1", "neoverse-n2"])
def test_an_fmla_of_eight_float16_is_priced_as_one_of_four_float32(name: str) -> None:
    core = find_core(name)
    assert core.half
    single, half = price_text(
        ["\n".join(AARCH64.multiply_adds), "\n".join(AARCH64.half_multiply_adds)],
        llvm_model(core),
        AARCH64,
    )
    assert half == pytest.approx(single, rel=0.02)
    # 16 FMLAs, two a cycle, as Arm's optimisation guides publish for both
    assert half * core.of("float16").macs_per_cycle == pytest.approx(16 * 8, rel=0.05)


@needs_cycle_model
def test_the_a76_is_modelled_as_the_n1_that_was_made_from_it() -> None:
    assert llvm_model(find_core("cortex-a76")) == "neoverse-n1"


@needs_cycle_model
@pytest.mark.parametrize(
    ("core", "reason"),
    [
        ("cortex-a53", r"16 FMLAs with 8 loads between them cost .*more than one after the other"),
        ("cortex-a55", r"16 FMLAs cost 8\.0 cycles there, 16 in silicon"),
        ("cortex-x1", r"LLVM has no pipeline model of cortex-x1"),
    ],
)
def test_others_are_refused_with_the_reason_and_those_offered(core: str, reason: str) -> None:
    with pytest.raises(CoreModelError, match=rf"{reason}.*offered: cortex-a72, "):
        llvm_model(find_core(core))
