"""The normalisation template gives PyTorch's local response normalisation in both layouts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import tvm

from compile.schedules.lrn import EXPONENT, LrnWorkload, default_tile, lrn
from deploy_rpc.cores import Core
from tests.cores import AVX512, BOTH

# fmt: off
WORKLOADS = {
    #                  C   pixels before after alpha bias
    "alexnet's":     (96,   121,   2, 2, 1e-4, 2.0),
    "large alpha":   (20,    50,   2, 2, 0.5,  1.0),
    "even window":   (16,    49,   2, 1, 0.1,  1.0),
    "no neighbours": (7,      9,   0, 0, 0.1,  1.0),
    "few channels":  (3,      5,   2, 2, 0.1,  1.0),
    "one pixel":     (33,     1,   2, 2, 0.1,  1.0),
}
# fmt: on


def output_of(w: LrnWorkload, core: Core, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """What the kernel gives as planes, and what it should, in float64."""
    x = np.random.default_rng(0).standard_normal((w.channels, w.pixels)).astype(np.float32)
    given = np.ascontiguousarray(x.T) if w.layout == "channels" else x
    y = tvm.runtime.tensor(np.full(w.shape, np.nan, np.float32))
    kernel = lrn(w, default_tile(w, core), threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](tvm.runtime.tensor(given), y)
    squares = np.pad(x.astype(np.float64) ** 2, ((w.before, w.after), (0, 0)))
    neighbours = w.before + w.after + 1
    total = sum(squares[first : first + w.channels] for first in range(neighbours))
    got = y.numpy().T if w.layout == "channels" else y.numpy()
    return got, x / (w.bias + w.alpha * total) ** EXPONENT


@pytest.mark.parametrize("layout", ["planes", "channels"])
@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_shape_gives_its_definition(name: str, core: Core, layout: str) -> None:
    w = dataclasses.replace(LrnWorkload(*WORKLOADS[name]), layout=layout)
    np.testing.assert_allclose(*output_of(w, core), rtol=1e-6)


@pytest.mark.parametrize("layout", ["planes", "channels"])
def test_threads_change_no_bit(layout: str) -> None:
    w = dataclasses.replace(LrnWorkload(*WORKLOADS["alexnet's"]), layout=layout)
    one, two = (output_of(w, AVX512, threads)[0] for threads in (1, 2))
    assert np.array_equal(one, two)


def test_the_definition_is_pytorchs() -> None:
    """Whose alpha is of the mean over the window, not of the sum."""
    w = LrnWorkload(12, 9, 2, 2, 0.3 / 5, 1.5)
    _, expected = output_of(w, AVX512)
    x = np.random.default_rng(0).standard_normal((w.channels, w.pixels)).astype(np.float32)
    normalise = torch.nn.LocalResponseNorm(5, alpha=0.3, beta=EXPONENT, k=1.5)
    got = normalise(torch.from_numpy(x).double()[None])[0].numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-6)
