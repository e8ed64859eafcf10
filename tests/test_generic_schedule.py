"""The generic rule schedules any PrimFunc, keeps its answers, and tiles what can be tiled."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tvm
from tvm import te, tirx, topi

from compile.schedules.blocks import multiply_accumulates
from compile.schedules.generic import schedule_generic
from deploy_rpc.cores import Core, find_core

A72 = find_core("cortex-a72")
AVX512 = dataclasses.replace(A72, name="avx512", isa="x86_64", vector_bits=512)


def convolution(
    channels: int, size: int, kernel: int, stride: int, groups: int, out: int
) -> tirx.PrimFunc:
    x = te.placeholder((1, channels, size, size), name="x")
    w = te.placeholder((out, channels // groups, kernel, kernel), name="w")
    pad = kernel // 2
    return te.create_prim_func(
        [x, w, topi.nn.group_conv2d_nchw(x, w, stride, pad, 1, groups, "float32")]
    )


def grouped_pointwise() -> tirx.PrimFunc:
    return convolution(12, 28, 1, 1, 3, 24)


def channel_shuffle() -> tirx.PrimFunc:
    x = te.placeholder((1, 3, 4, 7, 7), name="x")
    return te.create_prim_func([x, topi.transpose(x, (0, 2, 1, 3, 4))])


def max_pool() -> tirx.PrimFunc:
    x = te.placeholder((1, 4, 9, 9), name="x")
    pooled = topi.nn.pool2d(x, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1), "max", False, "NCHW")
    return te.create_prim_func([x, pooled])


def dense() -> tirx.PrimFunc:
    x, w = te.placeholder((1, 13), name="x"), te.placeholder((13, 40), name="w")
    return te.create_prim_func([x, w, topi.matmul(x, w)])


def global_pool() -> tirx.PrimFunc:
    x = te.placeholder((1, 5, 7, 7), name="x")
    return te.create_prim_func([x, topi.sum(x, axis=(2, 3), keepdims=True)])


FUNCTIONS = {
    "grouped pointwise": grouped_pointwise,
    "pointwise of 7x7": lambda: convolution(8, 7, 1, 1, 1, 8),
    "pointwise of a prime": lambda: convolution(8, 13, 1, 1, 2, 10),
    "depthwise stride 1": lambda: convolution(6, 14, 3, 1, 6, 6),
    "depthwise stride 2": lambda: convolution(6, 14, 3, 2, 6, 6),
    "stem": lambda: convolution(3, 17, 3, 2, 1, 8),
    "eight groups": lambda: convolution(16, 14, 1, 1, 8, 24),
    "channel shuffle": channel_shuffle,
    "max pool": max_pool,
    "dense": dense,
    "global pool": global_pool,
}


def outputs(function: tirx.PrimFunc, inputs: list[np.ndarray]) -> np.ndarray:
    shape = [int(extent) for extent in function.params[-1].shape]
    tensors = [tvm.runtime.tensor(x) for x in [*inputs, np.full(shape, np.nan, np.float32)]]
    library = tvm.compile(function.with_attr("global_symbol", "main"), target="llvm")
    library["main"](*tensors)
    return tensors[-1].numpy()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_scheduled_function_computes_what_it_did(name: str, core: Core, threads: int) -> None:
    function = FUNCTIONS[name]()
    random = np.random.default_rng(0)
    inputs = [
        random.standard_normal([int(extent) for extent in buffer.shape]).astype(np.float32)
        for buffer in function.params[:-1]
    ]
    scheduled = schedule_generic(function, core, threads).mod["main"]
    # sums of at most 27 products in another order
    np.testing.assert_allclose(
        outputs(scheduled, inputs), outputs(function, inputs), rtol=1e-5, atol=1e-5
    )


def test_a_convolution_is_tiled_in_registers() -> None:
    text = schedule_generic(grouped_pointwise(), A72, 1).mod["main"].script()
    assert "T.vectorized(4)" in text
    assert "T.unroll(7)" in text  # a row of 28 is seven registers
    assert 'scope="local"' in text
    assert "pad_temp" not in text  # without padding there is nothing to copy
    assert "T.parallel" not in text


def test_a_copy_that_is_an_output_stays() -> None:
    x = te.placeholder((8,), name="x")
    function = te.create_prim_func([x, topi.identity(x), topi.nn.relu(x)])
    scheduled = schedule_generic(function, A72, 1).mod["main"].with_attr("global_symbol", "main")
    given = np.arange(-4, 4, dtype=np.float32)
    tensors = [tvm.runtime.tensor(values) for values in (given, given * np.nan, given * np.nan)]
    tvm.compile(scheduled, target="llvm")["main"](*tensors)
    np.testing.assert_array_equal(tensors[1].numpy(), given)
    np.testing.assert_array_equal(tensors[2].numpy(), np.maximum(given, 0))


def test_two_threads_make_the_outer_loops_parallel() -> None:
    assert "T.parallel" in schedule_generic(grouped_pointwise(), A72, 2).mod["main"].script()


def test_strided_rows_are_left_to_llvm() -> None:
    text = schedule_generic(FUNCTIONS["depthwise stride 2"](), A72, 1).mod["main"].script()
    assert 'scope="local"' not in text


@pytest.mark.parametrize(
    ("name", "macs"),
    [("grouped pointwise", 24 * 4 * 28 * 28), ("dense", 13 * 40), ("max pool", 0)],
)
def test_macs_are_read_off_the_function(name: str, macs: int) -> None:
    assert multiply_accumulates(FUNCTIONS[name]()) == macs
