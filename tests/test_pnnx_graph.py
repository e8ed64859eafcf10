"""Networks as pnnx writes them become those that PyTorch runs; what has no counterpart is named.

The files are pnnx's own (tests/pnnx_files.py).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import nn

from compile.frontend.onnx_file import ROUNDED, OnnxError
from compile.frontend.onnx_import import import_onnx
from compile.lower import Lowered, lower
from compile.network import Network
from compile.targets import parse_target
from model.onnx_network import load_onnx_network
from model.outputs import Output
from model.pnnx_graph import CONVERSIONS, PnnxError
from model.variants import Convention
from tests.pnnx_files import FOLDER, SCRIPT, SIDE, shufflenet, spellings
from tests.running import output_of

ELSE = r"export the network to ONNX itself, by `export_onnx\(\)` .* or by torch\.onnx\.export"


def imported(path: Path) -> Network:
    return import_onnx(path, input_size=None, preprocessing="imagenet")


def by_pytorch(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(x)).numpy()


def error_of(lowered: Lowered, module: nn.Module) -> float:
    """As a share of the range of PyTorch's logits."""
    x = lowered.network.example_input()
    expected = by_pytorch(module, x)
    return float(np.abs(output_of(lowered, x) - expected).max() / np.ptp(expected))


def changed(name: str, folder: Path, change: Callable[[dict[str, onnx.NodeProto]], object]) -> Path:
    """The kept file `name`, the nodes of which went through `change`, by operator."""
    model = onnx.load(FOLDER / name)
    change({node.op_type: node for node in model.graph.node})
    onnx.save(model, folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("convention", "notes", "tolerance"),
    # float32 in another order; weights rounded to eleven bits
    [("official", (), 1e-5), ("paper", (ROUNDED,), 2e-3)],
)
def test_a_shufflenet_of_pnnx_is_pytorchs_without_a_shuffle_left(
    convention: Convention, notes: tuple[str, ...], tolerance: float
) -> None:
    network = imported(FOLDER / f"{convention}.pnnx.onnx")
    lowered = lower(network, "fused", parse_target("arm_cpu"))
    assert lowered.operators["shuffles"] == (4, 0)
    assert not any(left for _, left in lowered.operators.values())
    assert not [kernel.name for kernel in lowered.kernels if kernel.source == "generic"]
    assert (network.notes, network.outputs) == (notes, (Output("out0", (1, 10)),))
    assert error_of(lowered, shufflenet(convention)) < tolerance
    other = shufflenet("paper" if convention == "official" else "official")
    assert error_of(lowered, other) > 10 * tolerance


def test_every_operator_that_is_taken_gives_what_pytorch_gives() -> None:
    kept = [onnx.load(path) for path in FOLDER.glob("*.pnnx.onnx")]
    written = {node.op_type for model in kept for node in model.graph.node}
    assert CONVERSIONS.keys() <= written
    network = imported(FOLDER / "spellings.pnnx.onnx")
    x = network.example_input()
    with torch.inference_mode():
        expected = spellings()(torch.from_numpy(x))
    for got, wanted in zip(network.references(x), expected, strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_an_evaluation_takes_pnnxs_file_too() -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, SIDE, SIDE), np.float32)
    got = load_onnx_network(FOLDER / "official.pnnx.onnx").run(x)
    np.testing.assert_allclose(got, by_pytorch(shufflenet("official"), x), rtol=1e-4, atol=1e-4)


def test_what_pnnxs_script_exports_instead_builds(tmp_path: Path) -> None:
    """The advice of the errors, by pnnx's script and weights as they are."""
    shutil.copyfile(FOLDER / f"{SCRIPT}.txt", tmp_path / SCRIPT)
    shutil.copyfile(FOLDER / "paper.pnnx.bin", tmp_path / "paper.pnnx.bin")
    program = f"import {Path(SCRIPT).stem} as script; script.export_onnx()"
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, timeout=120
    )
    network = imported(tmp_path / f"{SCRIPT}.onnx")
    x = network.example_input()
    expected = by_pytorch(shufflenet("paper"), x)
    np.testing.assert_allclose(network.reference(x), expected, rtol=1e-4, atol=1e-4)


def test_an_open_batch_of_pnnx_is_one_picture(tmp_path: Path) -> None:
    model = onnx.load(FOLDER / "official.pnnx.onnx")
    for value in model.graph.value_info:
        value.type.tensor_type.shape.dim[0].dim_value = -1
    onnx.save(model, tmp_path / "open.pnnx.onnx")
    network = imported(tmp_path / "open.pnnx.onnx")
    assert network.notes == ("the batch of the input 'in0' is open in the file: fixed to 1",)
    assert network.input_shape == (1, 3, SIDE, SIDE)


def set_attribute(operator: str, name: str, value: object) -> Callable:
    def change(nodes: dict[str, onnx.NodeProto]) -> None:
        kept = [each for each in nodes[operator].attribute if each.name != name]
        del nodes[operator].attribute[:]
        nodes[operator].attribute.extend([*kept, helper.make_attribute(name, value)])

    return change


def set_operator(operator: str, to: str) -> Callable:
    return lambda nodes: setattr(nodes[operator], "op_type", to)


def without_weights(operator: str) -> Callable:
    return lambda nodes: nodes[operator].input.__delitem__(slice(1, None))


# fmt: off
REFUSED = {
    "another operator":   ("official", set_operator("nn.ReLU", "F.silu"),
                           r"node '.*' \(F\.silu\) of pnnx: possible are nn\.Conv2d, "),
    "another expression": ("official", set_attribute("pnnx.Expression", "expr", "mul(@0,@1)"),
                           r"expected a sum of two, as in add\(@0,@1\), got mul\(@0,@1\)"),
    "another padding":    ("official", set_attribute("nn.Conv2d", "padding_mode", "reflect"),
                           r"\(nn\.Conv2d\) .* padding_mode is 'reflect'; only 'zeros'"),
    "a padding by name":  ("official", set_attribute("nn.Conv2d", "padding", "same"),
                           "expected its padding as list, got 'same'"),
    "groups that do not divide": ("official", set_attribute("nn.ChannelShuffle", "groups", 5),
                                  "expected groups that divide the channels, got 5 of 24"),
    "no groups":          ("official", set_attribute("nn.ChannelShuffle", "groups", 0),
                           "got 0 of 24"),
    "no weights":         ("official", without_weights("nn.Linear"),
                           r"node 'classifier\.0' \(nn\.Linear\) of pnnx: it has no weight"),
    "no output":          ("official", lambda nodes: nodes["nn.Conv2d"].output.pop(),
                           r"\(nn\.Conv2d\) of pnnx: it makes nothing"),
    "groups of a text":   ("spellings", set_operator("nn.Linear", "aten::channel_shuffle"),
                           "expected a number of groups, got ''"),
    "axes that are none": ("spellings", set_attribute("torch.transpose", "dim0", 7),
                           "expected two axes of 4"),
}
# fmt: on


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_counterpart_is_named_and_what_to_do(name: str, tmp_path: Path) -> None:
    file, change, message = REFUSED[name]
    path = changed(f"{file}.pnnx.onnx", tmp_path, change)
    with pytest.raises(PnnxError, match=f"{message}.*; {ELSE}"):
        imported(path)


def test_weights_of_another_type_are_refused(tmp_path: Path) -> None:
    model = onnx.load(FOLDER / "official.pnnx.onnx")
    model.graph.initializer[0].data_type = onnx.TensorProto.INT32
    onnx.save(model, tmp_path / "odd.pnnx.onnx")
    with pytest.raises(
        PnnxError, match=r"tensor 'convbn2d_0\.bias' of pnnx is of TensorProto\.INT"
    ):
        imported(tmp_path / "odd.pnnx.onnx")


def test_a_graph_that_is_cut_or_goes_in_circles_is_refused(tmp_path: Path) -> None:
    model = onnx.load(FOLDER / "official.pnnx.onnx")
    model.graph.initializer[0].dims[0] = 1 << 40
    onnx.save(model, tmp_path / "cut.pnnx.onnx")
    circle = changed(
        "official.pnnx.onnx",
        tmp_path,
        lambda nodes: nodes["nn.MaxPool2d"].input.__setitem__(0, nodes["nn.Linear"].input[0]),
    )
    with pytest.raises(OnnxError, match="no complete ONNX model"):
        imported(tmp_path / "cut.pnnx.onnx")
    with pytest.raises(OnnxError, match="needs its own result, through"):
        imported(circle)
