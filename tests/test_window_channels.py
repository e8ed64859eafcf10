"""Windows with channels in the lanes give PyTorch's answers for every kernel, stride and size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tvm

from compile.schedules.window_channels import pack_weights, window_channels
from compile.schedules.window_channels_tiles import WindowChannelsTile, default_tile
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core
from tests import test_pool, test_window
from tests.cores import A72, AVX512
from tests.test_window import definition

WORKLOADS = test_window.WORKLOADS | test_pool.POOLS


def error_of(w: WindowWorkload, tile: WindowChannelsTile, threads: int = 1) -> float:
    """Largest difference between kernel and definition; negative inputs, so that borders show."""
    random = np.random.default_rng(0)
    x = random.standard_normal((w.groups * w.inputs, *w.size)).astype(np.float32) - 3
    weights = random.standard_normal((w.channels, w.inputs, *w.kernel)).astype(np.float32)
    bias = random.standard_normal(w.channels).astype(np.float32)
    given = x if w.reads_planes else np.ascontiguousarray(x.transpose(1, 2, 0))
    operands = [given, pack_weights(weights, w, tile), bias] if w.kind == "conv" else [given]
    stored = w.stored_channels or w.channels
    unwritten = np.full((*w.output_size, stored), np.nan, np.float32)
    tensors = [tvm.runtime.tensor(value) for value in (*operands, unwritten)]
    kernel = window_channels(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    written = tensors[-1].numpy().transpose(2, 0, 1)
    own = np.s_[w.first_channel : w.first_channel + w.channels]
    assert np.isnan(np.delete(written, own, axis=0)).all()
    return np.abs(written[own] - definition(w, x, weights, bias)).max()


def in_channels(name: str, **changes: object) -> WindowWorkload:
    return dataclasses.replace(WindowWorkload(*WORKLOADS[name]), layout="channels", **changes)


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_window_gives_pytorchs_answer(name: str, core: Core) -> None:
    w = in_channels(name)
    assert error_of(w, default_tile(w, core)) < 5e-4  # float32 sums of up to 363 values around 3


@pytest.mark.parametrize("name", ["stem", "alexnet's first"])
def test_a_first_convolution_reads_planes(name: str) -> None:
    w = in_channels(name, reads_planes=True)
    assert error_of(w, default_tile(w, AVX512)) < 5e-4


@pytest.mark.parametrize("name", ["stem", "depthwise stride 2", "max pool", "alexnet's second"])
def test_threads_change_nothing(name: str) -> None:
    w = in_channels(name)
    assert error_of(w, default_tile(w, AVX512), threads=2) < 5e-4


@pytest.mark.parametrize("name", ["average pool", "depthwise 7"])
def test_a_half_of_a_concat_leaves_the_other_alone(name: str) -> None:
    w = in_channels(name, first_channel=5, stored_channels=40)
    assert error_of(w, default_tile(w, AVX512)) < 5e-4
