"""The peak in int8 is that of the instruction that kernels take, and of nothing else."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tvm

from bench.fma_loop import STEP_UNROLL
from bench.peak import measured_peak, peak_row
from bench.product_loop import ProductLoop, product_loops, product_prim_func
from compile.targets import host_target, parse_target, with_dtype
from tests.test_fma_loop import MEMORY

HOST = with_dtype(host_target(), "int8")
AVX2 = '{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "haswell"}'
PRODUCTS = {
    "sdot": ("neoverse-n1", r"\bsdot\tv", MEMORY["aarch64"]),
    "single": ("cortex-a72", r"\bsmlal\tv", MEMORY["aarch64"]),
    "pairs": (AVX2, r"vpmaddwd\t.*%ymm", MEMORY["avx2"]),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_loop_holds_all_products_and_touches_no_memory(name: str) -> None:
    text, product, memory = PRODUCTS[name]
    target = parse_target(text)
    for loop in product_loops(target):
        compiled = tvm.compile(product_prim_func(loop), target=target.tvm)
        lines = compiled.mod.inspect_source("asm").splitlines()
        products = [number for number, line in enumerate(lines) if re.search(product, line)]
        assert len(products) == STEP_UNROLL * loop.accumulators
        body = lines[products[0] : products[-1] + 1]
        assert not [line for line in body if re.search(memory, line)]


def test_sums_grow_by_the_products_of_their_own_low_bits() -> None:
    """A small positive sum less its own low bits is nothing, and stays nothing."""
    loop = ProductLoop(8, 4, "single")
    start = np.arange(32, dtype=np.int32).reshape(8, 4)
    z = tvm.runtime.tensor(np.ones_like(start))
    kernel = product_prim_func(loop).with_attr("global_symbol", "main")
    factors = np.array([-1, 0, 0, 0], np.int16)
    run = tvm.compile(kernel, target="llvm")["main"]
    run(tvm.runtime.tensor(factors), tvm.runtime.tensor(start), z)
    np.testing.assert_array_equal(z.numpy(), start * np.array([0, 1, 1, 1]))


def test_the_peak_of_int8_is_measured_here() -> None:
    peak = measured_peak(HOST)
    row = peak_row(peak, HOST)
    assert row["unit"] == "GOP/s"
    assert row["engine"].endswith("loop")
    assert row["median"] > 0
    assert list(peak.candidates) == [loop.accumulators for loop in product_loops(HOST)]
