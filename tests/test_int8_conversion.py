"""Between float32 and int8, each channel by its own scale and zero, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import tvm

from compile.schedules.int8_conversion import ConversionWorkload, int8_conversion
from compile.schedules.templates import made_by_default, made_from
from deploy_rpc.cores import find_core

ODD = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, -0.0, 0.05, 0.15]


def converted(x: np.ndarray, scales: np.ndarray, zeros: np.ndarray, threads: int = 1) -> np.ndarray:
    """By the kernel for a core without dot products, which any machine runs."""
    into = "int8" if x.dtype == np.float32 else "float32"
    workload = ConversionWorkload(*x.shape, into)
    made = made_by_default(workload, find_core("cortex-a72"), threads)
    kernel = made.kernel().with_attr("global_symbol", "main")
    placed = [tvm.runtime.tensor(v) for v in (x, scales, zeros, np.zeros(x.shape, into))]
    tvm.compile(kernel, target={"kind": "llvm"})["main"](*placed)
    return placed[-1].numpy()


def constants(channels: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(channels)
    zeros = random.integers(-128, 128, channels).astype(np.int32)
    return random.uniform(5, 60, channels).astype(np.float32), zeros


@pytest.mark.parametrize("shape", [(3, 53), (5, 16), (4, 7), (6, 1)])
def test_values_are_rounded_to_even_and_end_at_the_bounds(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * 3
    x.flat[: min(len(ODD), x.size)] = ODD[: x.size]
    scales, zeros = constants(shape[0])
    with np.errstate(all="ignore"):
        steps = np.rint(scales[:, None] * x) + zeros[:, None]
        expected = np.where(np.isnan(steps), -128, np.clip(steps, -128, 127)).astype(np.int8)
    np.testing.assert_array_equal(converted(x, scales, zeros), expected)


@pytest.mark.parametrize("shape", [(3, 53), (4, 7), (6, 1)])
def test_integers_become_real_again(shape: tuple[int, int]) -> None:
    q = np.random.default_rng(1).integers(-128, 128, shape, np.int8)
    scales, zeros = constants(shape[0])
    expected = (q.astype(np.int32) - zeros[:, None]).astype(np.float32) * (1 / scales)[:, None]
    np.testing.assert_array_equal(converted(q, 1 / scales, zeros), expected)


def test_two_threads_share_the_channels() -> None:
    q = np.random.default_rng(2).integers(-128, 128, (5, 20), np.int8)
    scales, zeros = constants(5)
    np.testing.assert_array_equal(
        converted(q, scales, zeros, threads=2), converted(q, scales, zeros)
    )


def test_a_kernel_says_what_it_was_made_from() -> None:
    made = made_by_default(ConversionWorkload(2, 9, "float32"), find_core("neoverse-n1"), 1)
    assert made.template == int8_conversion.__name__
    assert made_from(made.kernel()) == made
