"""Whoever exported a ShuffleNet, nothing of it is left but the kernels of the templates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import tvm

from compile.frontend.onnx_import import import_onnx
from compile.lower import Lowered, lower
from compile.network import Network
from compile.targets import CompileTarget, parse_target
from model.zoo import create_model
from tests.cores import AVX512, host_with_schedules_of
from tests.onnx_dialects import SIDE, Dialect, write_dialect
from tests.running import output_of
from tests.small_networks import with_drawn_statistics

FARMINGYARD = {"middle": 18, "first_shuffled": False, "pool": "ceil", "norm": "Caffe"}
ZOO = {"groups": 4, "stem": 8, "middle": 24, "first_grouped": True, "pool": "not counted"}
TENSORFLOW = {"channels_last": True, "head": "ReduceMean", "border": "auto", "pool": "auto"}

# fmt: off
PUBLISHED = {
    "official code":            Dialect(shuffle_behind_depthwise=True, rows=4),
    "farmingyard":              Dialect(**FARMINGYARD, relu_behind_concat=True, opset=10),
    "Caffe2, opset 6":          Dialect(**ZOO, add="Sum", pool_first=False, opset=6,
                                        relu_behind_concat=True, head="AveragePool"),
    "TensorFlow":               Dialect(**TENSORFLOW, norm="Mul"),
    "TensorFlow, Pad, Gather":  Dialect(**TENSORFLOW | {"border": "pad"}, shuffle="gather",
                                        shuffle_behind_depthwise=True, norm="Sub"),
}
VARIANTS = {
    "PyTorch":                  Dialect(),
    "pytorchcv":                Dialect(pool_first=False),
    "zoo":                      Dialect(**ZOO, pool_first=False, opset=9),
    "eight groups":             Dialect(groups=8, stem=8, middle=16, out=32),
    "one group":                Dialect(groups=1),
}
SPELLINGS = {
    "sizes traced":             Dialect(shuffle="dynamic", dynamic=True),
    "four axes":                Dialect(shuffle="4d"),
    "three axes":               Dialect(shuffle="3d"),
    "Gather":                   Dialect(shuffle="gather"),
    "slices":                   Dialect(shuffle="slices"),
    "Sum":                      Dialect(add="Sum"),
}
# fmt: on


@pytest.fixture(scope="module")
def cortex_a72() -> CompileTarget:
    return parse_target("arm_cpu")


def imported(dialect: Dialect, folder: Path) -> Network:
    size = (SIDE, SIDE) if dialect.dynamic else None
    return import_onnx(write_dialect(dialect, folder), input_size=size, preprocessing="imagenet")


def assert_nothing_is_left(lowered: Lowered) -> None:
    assert {kind: left for kind, (_, left) in lowered.operators.items() if left} == {}
    assert {kernel.name for kernel in lowered.kernels if kernel.source == "generic"} == set()


def assert_right(lowered: Lowered) -> None:
    """float32 in another order: some 1e-6 of the range; a wrong channel more than 1e-2."""
    x = lowered.network.example_input()
    expected = lowered.network.reference(x)
    assert np.abs(output_of(lowered, x) - expected).max() < 1e-5 * np.ptp(expected)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_shufflenet_becomes_kernels_of_templates_alone(
    name: str, tmp_path: Path, cortex_a72: CompileTarget
) -> None:
    dialect = PUBLISHED[name]
    lowered = lower(imported(dialect, tmp_path), "fused", cortex_a72)
    assert lowered.operators["shuffles"] == (1 + dialect.first_shuffled, 0)
    assert_nothing_is_left(lowered)
    assert_right(lowered)


@pytest.mark.parametrize("name", VARIANTS)
def test_groups_and_order_leave_nothing_either(
    name: str, tmp_path: Path, cortex_a72: CompileTarget
) -> None:
    assert_nothing_is_left(lower(imported(VARIANTS[name], tmp_path), "fused", cortex_a72))


@pytest.mark.parametrize("name", ["Caffe2, opset 6", "TensorFlow, Pad, Gather"])
def test_nor_is_anything_left_with_channels_in_the_lanes(name: str, tmp_path: Path) -> None:
    network = imported(PUBLISHED[name], tmp_path)
    assert_nothing_is_left(lower(network, "fused", host_with_schedules_of(AVX512)))


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_is_the_same_graph(name: str, tmp_path: Path) -> None:
    """The same weights are drawn for both: equal to the last constant."""
    plain = imported(Dialect(), tmp_path).module
    tvm.ir.assert_structural_equal(imported(SPELLINGS[name], tmp_path).module, plain)


def test_the_inverse_shuffle_is_another_graph(tmp_path: Path) -> None:
    plain = imported(Dialect(), tmp_path).module
    inverse = imported(Dialect(shuffle="gather", rows=4), tmp_path).module
    with pytest.raises(ValueError, match="StructuralEqual check failed"):
        tvm.ir.assert_structural_equal(inverse, plain)


@pytest.mark.parametrize("dynamo", [True, False])
def test_both_exporters_of_pytorch_give_a_shufflenet_that_leaves_nothing(
    dynamo: bool, tmp_path: Path, cortex_a72: CompileTarget
) -> None:
    module = with_drawn_statistics(create_model("shufflenet-0.25x-g3", input_size=(64, 64)))
    path = tmp_path / "network.onnx"
    torch.onnx.export(module, (torch.zeros(1, 3, 64, 64),), path, dynamo=dynamo, verbose=False)
    lowered = lower(
        import_onnx(path, input_size=None, preprocessing="imagenet"), "fused", cortex_a72
    )
    assert lowered.operators["shuffles"] == (16, 0)
    assert_nothing_is_left(lowered)
    x = lowered.network.example_input()
    with torch.inference_mode():
        expected = module(torch.from_numpy(x)).numpy()
    # float32 in another order through 50 layers; a wrong channel more than 1e-2
    assert np.abs(output_of(lowered, x) - expected).max() < 1e-5 * np.ptp(expected)
