"""The dense template gives its definition for every shape."""

from __future__ import annotations

import numpy as np
import pytest
import tvm

from compile.schedules.dense import dense, pack_weights
from compile.schedules.dense_tiles import DenseTile, default_tile
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.packing import unpacked
from compile.schedules.templates import Made
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512, BOTH

# fmt: off
WORKLOADS = {
    #                    M     K   relu  pixels layout
    "classifier":      (1000, 96, False,   1, "planes"),
    "with relu":       (64,   50, True,    1, "planes"),
    "primes":          (53,   37, False,   1, "planes"),
    "fewer than lanes": (3,    5, True,    1, "planes"),
    "one of each":     (1,     1, False,   1, "planes"),
}
# fmt: on


def workload_of(name: str) -> DenseWorkload:
    return DenseWorkload(*WORKLOADS[name])


def output_of(w: DenseWorkload, tile: DenseTile, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """What the kernel gives, and what it should, in float64."""
    random = np.random.default_rng(0)
    x = random.standard_normal((w.inputs, w.pixels)).astype(np.float32)
    weights = random.standard_normal((w.outputs, w.inputs)).astype(np.float32)
    bias = random.standard_normal(w.outputs).astype(np.float32)
    expected = weights.astype(np.float64) @ x.astype(np.float64).mean(1) + bias
    got = answer(w, tile, x, weights, bias, threads)
    return got, np.maximum(expected, 0) if w.relu else expected


def answer(
    w: DenseWorkload,
    tile: DenseTile,
    x: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    threads: int = 1,
) -> np.ndarray:
    """What the kernel gives for (K, pixels) x and (M, K) weights."""
    given = np.ascontiguousarray((x.T if w.layout == "channels" else x).reshape(w.given_shape))
    y = np.full(w.outputs, np.nan, np.float32)
    tensors = [tvm.runtime.tensor(v) for v in (given, pack_weights(weights, w, tile), bias, y)]
    kernel = dense(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    return tensors[-1].numpy()


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_shape_gives_its_definition(name: str, core: Core) -> None:
    w = workload_of(name)
    got, expected = output_of(w, default_tile(w, core))
    np.testing.assert_allclose(got, expected, atol=1e-4)  # float32 sums of up to 96 products


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_weights_come_out_again(name: str, core: Core) -> None:
    w = workload_of(name)
    weights = np.arange(w.outputs * w.inputs, dtype=np.float32).reshape(w.outputs, w.inputs)
    tile = default_tile(w, core)
    packed = pack_weights(weights, w, tile)
    np.testing.assert_array_equal(unpacked(packed, Made("dense", w, tile, 1)), weights)


@pytest.mark.parametrize("name", ["classifier", "primes"])
def test_threads_change_no_bit(name: str) -> None:
    w = workload_of(name)
    one, two = (output_of(w, default_tile(w, AVX512), threads)[0] for threads in (1, 2))
    assert np.array_equal(one, two)


def test_a_partial_sum_reads_weights_that_lie_together() -> None:
    """So that memory sees as many streams as there are sums: 24 inputs, four shares of six."""
    text = dense(DenseWorkload(64, 24, False), DenseTile(4, 1, 16), 1).script()
    assert "in range(6)" in text
    assert default_tile(DenseWorkload(4096, 9216, True), A72).sums >= 2
