"""Only cores whose pipeline model can be believed are offered."""

from __future__ import annotations

import dataclasses

import pytest

from deploy_rpc import core_models
from deploy_rpc.block_prices import price_text
from deploy_rpc.core_models import (
    CoreModelError,
    _faults,
    llvm_model,
    model_doubts,
    modelled_cores,
)
from deploy_rpc.cores import Dtype, find_core
from deploy_rpc.isa import AARCH64
from tests.needs import needs_cycle_model
from tests.published import published_of


@needs_cycle_model
def test_the_cores_offered() -> None:
    assert modelled_cores() == ("cortex-a72", "cortex-a76", "neoverse-n1", "neoverse-n2")


@needs_cycle_model
@pytest.mark.parametrize("name", ["cortex-a76", "neoverse-n1", "neoverse-n2"])
@pytest.mark.parametrize(
    ("dtype", "instructions", "lanes"),
    [("float16", AARCH64.half_multiply_adds, 8), ("int8", AARCH64.dot_products, 16)],
)
def test_a_vector_of_a_smaller_format_is_priced_as_an_fmla_of_four_float32(
    name: str, dtype: Dtype, instructions: tuple[str, ...], lanes: int
) -> None:
    core = find_core(name)
    assert core.half
    assert core.dot
    single, smaller = price_text(
        ["\n".join(AARCH64.multiply_adds), "\n".join(instructions)], llvm_model(core), AARCH64
    )
    assert smaller == pytest.approx(single, rel=0.02)
    # 16 of them, two a cycle, as Arm's optimisation guides publish for both
    assert smaller * core.of(dtype).macs_per_cycle == pytest.approx(16 * lanes, rel=0.05)


@needs_cycle_model
@pytest.mark.parametrize(
    ("field", "slow", "named"),
    [
        ("half_multiply_adds", "fmla v0.8h, v30.8h, v15.h[0]", "FMLAs of float16"),
        ("dot_products", "sdot v0.4s, v30.16b, v31.4b[0]", "SDOTs"),
    ],
)
def test_a_model_that_misprices_a_smaller_format_is_refused(
    field: str, slow: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instructions that wait for each other stand for a model that begins too few a cycle."""
    waiting = dataclasses.replace(AARCH64, **{field: (slow,) * 16})
    monkeypatch.setattr(core_models, "isa_called", lambda _: waiting)
    _faults.cache_clear()
    try:
        with pytest.raises(CoreModelError, match=rf"16 {named} cost .* cycles there, 8 in silicon"):
            llvm_model(find_core("neoverse-n1"))
    finally:
        _faults.cache_clear()


@needs_cycle_model
def test_loads_and_stores_of_the_cores_offered_are_priced_as_published() -> None:
    assert [model_doubts(find_core(name)) for name in modelled_cores()] == [(), (), (), ()]


@needs_cycle_model
@pytest.mark.parametrize(
    ("published", "doubts"),
    [
        ({"loads": 1}, ("8 loads of 128 bits cost 4.1 cycles there, 8 as published",)),
        ({"stores": 2}, ("8 stores of 128 bits cost 8.0 cycles there, 4 as published",)),
        ({"loads": 2.5}, ("8 loads of 128 bits cost 4.1 cycles there, 3.2 as published",)),
        ({"loads": 2.05, "stores": 1.04}, ()),
        ({"loads": None, "stores": None}, ()),
    ],
)
def test_a_model_that_loads_or_stores_otherwise_than_published_is_doubted_and_offered(
    published: dict[str, float], doubts: tuple[str, ...]
) -> None:
    with published_of("neoverse-n1", **published):
        assert model_doubts(find_core("neoverse-n1")) == doubts
        assert llvm_model(find_core("neoverse-n1")) == "neoverse-n1"


@needs_cycle_model
def test_the_a76_is_modelled_as_the_n1_that_was_made_from_it() -> None:
    assert llvm_model(find_core("cortex-a76")) == "neoverse-n1"


@needs_cycle_model
@pytest.mark.parametrize(
    ("core", "reason"),
    [
        ("cortex-a53", r"16 FMLAs with 8 loads between them cost .*more than one after the other"),
        (
            "cortex-a55",
            r"16 FMLAs cost 8\.0 cycles there, 16 in silicon.*"
            r"8 loads of 128 bits cost 8\.0 cycles there, 16 as published",
        ),
        ("cortex-x1", r"LLVM has no pipeline model of cortex-x1"),
    ],
)
def test_others_are_refused_with_the_reason_and_those_offered(core: str, reason: str) -> None:
    with pytest.raises(CoreModelError, match=rf"{reason}.*offered: cortex-a72, "):
        llvm_model(find_core(core))
