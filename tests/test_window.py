"""The window template gives PyTorch's answers for every kernel, stride and size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import tvm
from torch.nn import functional

from compile.schedules.window import pack_weights, window
from compile.schedules.window_tiles import WindowTile, banded, default_tile
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512

# fmt: off
WORKLOADS = {
    #                      kind      groups M  K   size      kernel  stride padding relu
    "stem":               ("conv",    1, 24,  3, (33, 33),   (3, 3),   2, (1, 1), True),
    "depthwise 28":       ("conv",   12,  1,  1, (28, 28),   (3, 3),   1, (1, 1), False),
    "depthwise 7":        ("conv",    5,  1,  1, (7, 7),     (3, 3),   1, (1, 1), True),
    "depthwise stride 2": ("conv",    5,  1,  1, (14, 15),   (3, 3),   2, (1, 1), False),
    "alexnet's first":    ("conv",    1,  9,  3, (47, 51),   (11, 11), 4, (0, 0), True),
    "alexnet's second":   ("conv",    2, 10,  6, (13, 13),   (5, 5),   1, (2, 2), True),
    "oblong kernel":      ("conv",    3,  4,  2, (9, 17),    (1, 5),   1, (0, 2), False),
    "strided pointwise":  ("conv",    2,  7,  3, (8, 8),     (1, 1),   2, (0, 0), False),
    "one pixel":          ("conv",    1,  3,  4, (3, 3),     (3, 3),   1, (0, 0), False),
    "border behind":      ("conv",    5,  1,  1, (14, 14),   (3, 3),   2, (0, 0, 1, 1), True),
    "border before":      ("conv",    1,  8,  3, (17, 18),   (3, 3),   2, (1, 2, 0, 0), False),
}
# fmt: on


def workload_of(name: str) -> WindowWorkload:
    return WindowWorkload(*WORKLOADS[name])


def definition(
    w: WindowWorkload, x: np.ndarray, weights: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """PyTorch's, in float64."""
    (top, left), (bottom, right) = w.padding[:2], w.padding[-2:]

    def bordered(planes: torch.Tensor) -> torch.Tensor:
        filled = -torch.inf if w.kind == "max" else 0
        return functional.pad(planes, (left, right, top, bottom), value=filled)

    planes = bordered(torch.from_numpy(x)[None].double())
    if w.kind == "conv":
        filters, shifts = torch.from_numpy(weights).double(), torch.from_numpy(bias).double()
        y = functional.conv2d(planes, filters, shifts, w.stride, 0, 1, w.groups)
    elif w.kind == "max":
        y = functional.max_pool2d(planes, w.kernel, w.stride)
    else:
        y = functional.avg_pool2d(planes, w.kernel, w.stride)
        inside = functional.avg_pool2d(bordered(torch.ones(1, 1, *w.size)), w.kernel, w.stride)
        y = y / inside if w.kind == "average_inside" else y
    return (y.relu() if w.relu else y)[0].numpy()


def error_of(w: WindowWorkload, tile: WindowTile, threads: int = 1) -> float:
    """Largest difference between kernel and definition; negative inputs, so that borders show."""
    random = np.random.default_rng(0)
    x = random.standard_normal((w.groups * w.inputs, *w.size)).astype(np.float32) - 3
    weights = random.standard_normal((w.channels, w.inputs, *w.kernel)).astype(np.float32)
    bias = random.standard_normal(w.channels).astype(np.float32)
    operands = [x, pack_weights(weights, w, tile), bias]
    stored = w.stored_channels or w.channels
    shape = (*w.output_size, stored) if w.writes_channels else (stored, *w.output_size)
    unwritten = np.full(shape, np.nan, np.float32)
    tensors = [tvm.runtime.tensor(value) for value in (*operands, unwritten)]
    kernel = window(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    written = tensors[-1].numpy()
    written = written.transpose(2, 0, 1) if w.writes_channels else written
    own = np.s_[w.first_channel : w.first_channel + w.channels]
    assert np.isnan(np.delete(written, own, axis=0)).all()
    return np.abs(written[own] - definition(w, x, weights, bias)).max()


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_window_gives_pytorchs_answer(name: str, core: Core) -> None:
    w = workload_of(name)
    assert error_of(w, default_tile(w, core)) < 5e-4  # float32 sums of up to 363 values around 3


@pytest.mark.parametrize("name", ["depthwise stride 2", "depthwise 7"])
def test_where_the_layout_changes_channels_are_written(name: str) -> None:
    w = dataclasses.replace(workload_of(name), writes_channels=True)
    assert w.output_layout == "channels"
    assert error_of(w, default_tile(w, AVX512)) < 5e-4


@pytest.mark.parametrize("writes_channels", [True, False])
def test_a_half_of_a_concat_leaves_the_other_alone(writes_channels: bool) -> None:
    w = dataclasses.replace(
        workload_of("depthwise 28"),
        first_channel=5,
        stored_channels=20,
        writes_channels=writes_channels,
    )
    assert error_of(w, default_tile(w, AVX512)) < 5e-4


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("channels", [8, 12])
def test_squares_of_channels_come_across_from_a_scratch(channels: int, threads: int) -> None:
    """As tiles that the search may take; by default rows stay in registers."""
    across = {"groups": channels, "first_channel": 3, "stored_channels": 20}
    w = dataclasses.replace(workload_of("depthwise 28"), writes_channels=True, **across)
    tile = WindowTile(channels=1, rows=3, vectors=1, lanes=16)
    for each in banded(w, tile, AVX512):
        assert not each.in_registers
        assert error_of(w, each, threads) < 5e-4


@pytest.mark.parametrize("name", ["stem", "depthwise stride 2"])
def test_threads_change_nothing(name: str) -> None:
    w = workload_of(name)
    assert error_of(w, default_tile(w, A72), threads=2) < 5e-4
    if w.is_channelwise:
        changed = dataclasses.replace(w, writes_channels=True)
        assert error_of(changed, default_tile(changed, AVX512), threads=3) < 5e-4


def test_a_strided_window_reads_side_by_side() -> None:
    """No vector index is multiplied by the stride: the phases took it away."""
    text = window(workload_of("stem"), WindowTile(4, 1, 1, 4), 1).script()
    assert "T.vectorized(4)" in text
    accumulate = next(line for line in text.splitlines() if "* W[" in line)
    phases = accumulate.split("+ ", 1)[1].split(" * W[")[0]
    assert phases.rsplit(", ", 1)[1].count("* 2") == 0


def test_macs_are_those_of_the_definition() -> None:
    assert workload_of("stem").macs == 24 * 17 * 17 * 27
