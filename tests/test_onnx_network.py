"""An ONNX file runs as it is, whatever its layout, and one that gives no classes is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.onnx_network import OnnxNetworkError, load_onnx_network

CLASSES = 4


def written(
    folder: Path,
    shape: tuple[object, ...] = (1, 3, 8, 6),
    outputs: int = 1,
    inputs: int = 1,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """The means over pixels, times a matrix, of pictures of `shape`."""
    pixels, planes = ((1, 2), 3) if shape[3] == 3 else ((2, 3), shape[1])
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = np.arange(planes * CLASSES, dtype=dtype).reshape(planes, CLASSES)
    nodes = [helper.make_node("ReduceMean", ["x0"], ["means"], axes=pixels, keepdims=0)]
    nodes += [helper.make_node("MatMul", ["means", "w"], [f"y{i}"]) for i in range(outputs)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)],
        [helper.make_tensor_value_info(f"y{i}", kind, None) for i in range(outputs)],
        [numpy_helper.from_array(weights, "w")],
    )
    path = folder / "means.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    return path


@pytest.mark.parametrize("shape", [(1, 3, 8, 6), (1, 8, 6, 3)], ids=["planes", "channels last"])
def test_logits_of_a_picture_come_whatever_the_layout(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    network = load_onnx_network(written(tmp_path, shape))
    assert (network.name, network.size, network.classes) == ("means", (8, 6), CLASSES)
    x = np.random.default_rng(0).random((1, 3, 8, 6), np.float32)
    expected = x.mean((2, 3)) @ np.arange(3 * CLASSES).reshape(3, CLASSES)
    np.testing.assert_allclose(network.run(x), expected, rtol=1e-5)


def test_an_open_size_is_fixed_by_the_user(tmp_path: Path) -> None:
    path = written(tmp_path, ("n", 3, "h", "w"))
    assert load_onnx_network(path, (32, 48)).size == (32, 48)
    with pytest.raises(OnnxNetworkError, match="takes pictures of hxw, which --input-size fixes"):
        load_onnx_network(path)


@pytest.mark.parametrize(
    ("given", "asked", "message"),
    [
        ({}, (9, 9), "takes pictures of 8x6, 9x9 was asked for"),
        ({"outputs": 2}, None, "to give the scores of classes, it gives y0, y1"),
        ({"inputs": 2}, None, "to take one picture of 4 dimensions"),
        ({"shape": (1, 1, 8, 6)}, None, r"one picture, float32 \(1, 3, 8, 6\), .* \[1, 1, 8, 6\]"),
        ({"shape": (4, 3, 8, 6)}, None, r"it takes tensor\(float\) \[4, 3, 8, 6\]"),
        ({"kind": TensorProto.FLOAT16}, None, r"it takes tensor\(float16\) \[1, 3, 8, 6\]"),
    ],
)
def test_what_gives_no_classes_of_one_picture_is_refused(
    given: dict, asked: tuple[int, int] | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OnnxNetworkError, match=message):
        load_onnx_network(written(tmp_path, **given), asked)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no model")
    with pytest.raises(OnnxNetworkError, match=r"ONNX Runtime cannot read .*text\.onnx"):
        load_onnx_network(path)
