"""ONNX files become networks; what cannot be taken is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import tvm
from onnx import TensorProto, helper
from torch import nn
from tvm import relax

from compile.frontend.onnx_file import OnnxError
from compile.frontend.onnx_import import import_onnx
from model.outputs import Output
from tests.small_networks import ShuffledBlock, ShuffledMaps, with_drawn_statistics


def exported(folder: Path, *, dynamic: bool = False) -> Path:
    path = folder / "block.onnx"
    axes = {"x": {0: "n", 2: "h", 3: "w"}} if dynamic else None
    torch.manual_seed(0)
    block = with_drawn_statistics(ShuffledBlock())
    torch.onnx.export(
        block, (torch.zeros(1, 3, 21, 21),), path, input_names=["x"], dynamic_axes=axes,
        dynamo=False,
    )  # fmt: skip
    return path


def single_node(
    folder: Path, operator: str, dtype: int, shape: tuple[int, ...], **attributes: object
) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))
    y = helper.make_tensor_value_info("y", dtype, shape)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)], "g", [x], [y]
    )
    path = folder / "node.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_an_exported_network_gives_what_onnx_says(tmp_path: Path) -> None:
    network = import_onnx(exported(tmp_path), input_size=None, preprocessing="imagenet")
    machine = relax.VirtualMachine(tvm.compile(network.module, target="llvm"), tvm.cpu())
    x = network.example_input()
    output = machine["main"](tvm.runtime.tensor(x)).numpy()
    assert output.shape == network.output_shape == (1, 10)
    # sums of at most 27 products in another order
    np.testing.assert_allclose(output, network.reference(x), rtol=1e-4, atol=1e-4)


def test_every_output_of_a_file_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "maps.onnx"
    block = with_drawn_statistics(ShuffledMaps())
    torch.onnx.export(
        block, (torch.zeros(1, 3, 21, 21),), path, output_names=["early", "late"], dynamo=False
    )
    network = import_onnx(path, input_size=None, preprocessing="imagenet")
    assert network.outputs == (Output("early", (1, 12, 11, 11)), Output("late", (1, 24, 6, 6)))
    x = network.example_input()
    with torch.inference_mode():
        expected = block(torch.from_numpy(x))
    for got, wanted in zip(network.references(x), expected, strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-4, atol=1e-4)


def test_dynamic_sizes_are_fixed_by_the_user(tmp_path: Path) -> None:
    path = exported(tmp_path, dynamic=True)
    network = import_onnx(path, input_size=(21, 21), preprocessing="imagenet")
    assert network.input_shape == (1, 3, 21, 21)
    with pytest.raises(OnnxError, match="--input-size"):
        import_onnx(path, input_size=None, preprocessing="imagenet")


def test_another_size_than_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OnnxError, match="21x21"):
        import_onnx(exported(tmp_path), input_size=(32, 32), preprocessing="imagenet")


def test_a_file_cut_in_half_is_no_model(tmp_path: Path) -> None:
    path = exported(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(OnnxError, match="no complete ONNX model"):
        import_onnx(path, input_size=None, preprocessing="imagenet")


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", bytes(1000)])
def test_a_file_of_something_else_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(OnnxError, match=r"other\.onnx"):
        import_onnx(path, input_size=None, preprocessing="imagenet")


def test_an_operator_that_is_not_imported_is_named(tmp_path: Path) -> None:
    path = single_node(tmp_path, "Det", TensorProto.FLOAT, (1, 3))
    with pytest.raises(
        OnnxError, match=r"node .* \(Det\) is no operator that can be compiled; possible are Conv"
    ):
        import_onnx(path, input_size=None, preprocessing="imagenet")


def test_a_result_that_is_no_float_is_refused(tmp_path: Path) -> None:
    path = single_node(tmp_path, "ArgMax", TensorProto.INT64, (1, 1, 8, 8), axis=1)
    with pytest.raises(OnnxError, match=r"\(ArgMax\) makes int64, .* only float32 is possible"):
        import_onnx(path, input_size=None, preprocessing="imagenet")


def test_two_inputs_are_refused_by_name(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    path = tmp_path / "two.onnx"
    inputs = (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    torch.onnx.export(Two(), inputs, path, input_names=["left", "right"], dynamo=False)
    with pytest.raises(OnnxError, match="left, right"):
        import_onnx(path, input_size=None, preprocessing="imagenet")
