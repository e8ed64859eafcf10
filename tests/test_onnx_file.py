"""Files that are no ONNX model, or none of one picture, end in an error that says so, and soon."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compile.frontend.onnx_file import OnnxError, load_onnx, opset_of, picture_input
from compile.frontend.onnx_import import import_onnx
from tests.onnx_dialects import Dialect, write_dialect


def sound() -> onnx.ModelProto:
    """One convolution of a picture of 8x8."""
    weights = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", kernel_shape=[3, 3])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 2, 6, 6))
    graph = helper.make_graph([node], "g", [x], [y], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    """A bit of the tag of the graph: what follows is no longer one."""
    place = content.index(b"conv") - 1
    return content[:place] + bytes([content[place] ^ 0x80]) + content[place + 1 :]


def _other_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[1] = 4


def _negative_size(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = -2


def _negative_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = -8


def _huge_input(model: onnx.ModelProto) -> None:
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 1 << 30


def _huge_pads(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("pads", [1 << 30] * 4))


def _huge_constant(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full(4, 1 << 20), "w"))
    model.graph.node[0].input[1] = "made"
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["w"], ["made"], name="huge"))


def _cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


def _weights_elsewhere(model: onnx.ModelProto) -> None:
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../secret")


def _double(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def _filters_of_another_picture(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.ones((2, 5, 3, 3), np.float32), "w")
    )


MALFORMED: dict[str, tuple[Callable, str]] = {
    "cut": (_cut, "no complete ONNX model"),
    "a bit flipped": (_flipped, "no complete ONNX model"),
    "more values than it holds": (_other_shape, "tensor 'w'|no complete ONNX model"),
    "a negative size": (_negative_size, "tensor 'w'|no complete ONNX model"),
    "a negative input": (_negative_input, "expected an input of 4 dimensions"),
    "a huge input": (_huge_input, "at most 268,435,456 values"),
    "huge pads": (_huge_pads, r"node 'conv' \(Conv\) .* at most"),
    "a huge constant": (_huge_constant, r"node 'huge' \(ConstantOfShape\) .* at most"),
    "a cycle": (_cycle, "no complete ONNX model"),
    "weights outside the folder": (_weights_elsewhere, "no complete ONNX model"),
    "another type": (_double, "float32 input, got 'x' of double"),
    "filters of another picture": (
        _filters_of_another_picture,
        r"node 'conv' \(Conv\) cannot be compiled",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    change, message = MALFORMED[name]
    folder = tmp_path / "files"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(struct.pack("54f", *[1.0] * 54))
    path = folder / "malformed.onnx"
    if change in (_cut, _flipped):
        path.write_bytes(change(sound().SerializeToString()))
    else:
        model = sound()
        change(model)
        path.write_bytes(model.SerializeToString())
    with pytest.raises(OnnxError, match=message):
        import_onnx(path, input_size=None, preprocessing="imagenet")


def test_pnnx_s_picture_of_a_network_is_told(tmp_path: Path) -> None:
    node = helper.make_node("pnnx.Input", [], ["0"])
    path = tmp_path / "net.pnnx.onnx"
    path.write_bytes(
        onnx.ModelProto(graph=helper.make_graph([node], "g", [], [])).SerializeToString()
    )
    with pytest.raises(OnnxError, match=r"`export_onnx\(\)`: build what that writes"):
        load_onnx(path)


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(sound(), path, save_as_external_data=True, location="net.data", size_threshold=0)
    weights = load_onnx(path).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(weights), np.ones((2, 3, 3, 3)))


def test_old_opsets_are_lifted(tmp_path: Path) -> None:
    assert opset_of(load_onnx(write_dialect(Dialect(opset=6, pool="not counted"), tmp_path))) == 9
    assert opset_of(load_onnx(write_dialect(Dialect(opset=7), tmp_path))) == 7


def test_channels_last_are_told_by_their_number() -> None:
    model = sound()
    assert not picture_input(model, None).channels_last
    shape = model.graph.input[0].type.tensor_type.shape
    for dim, extent in zip(shape.dim, (1, 9, 8, 3), strict=True):
        dim.dim_value = extent
    picture = picture_input(model, None)
    assert picture.channels_last
    assert picture.nchw_shape == (1, 3, 9, 8)


def test_dynamic_channels_are_not_fixed_by_the_size() -> None:
    model = sound()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "c"
    with pytest.raises(OnnxError, match="channels in the export"):
        picture_input(model, (8, 8))
