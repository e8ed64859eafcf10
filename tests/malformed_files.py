"""ONNX files and checkpoints that something happened to, each with what is to be said of it."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save

from model.zoo import create_model


def malformed_onnx(name: str, folder: Path) -> tuple[Path, str]:
    """The file `name` of `MALFORMED_ONNX`, written below `folder`, and the error's pattern."""
    change, message = MALFORMED_ONNX[name]
    inner = folder / "files"
    inner.mkdir()
    (folder / "secret").write_bytes(struct.pack("54f", *[1.0] * 54))
    path = inner / "malformed.onnx"
    if change in (_cut, _flipped):
        path.write_bytes(change(sound().SerializeToString()))
    else:
        model = sound()
        change(model)
        path.write_bytes(model.SerializeToString())
    return path, message


def malformed_checkpoint(name: str, folder: Path) -> tuple[Path, str]:
    """The same of `MALFORMED_CHECKPOINTS`."""
    write, message = MALFORMED_CHECKPOINTS[name]
    path = folder / "malformed.pth"
    write(path)
    return path, message


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


def _huge_size(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 1 << 40


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


def _computed_huge_constant(model: onnx.ModelProto) -> None:
    """Its size, 10 to the 10th, is known to nobody before a node has computed it."""
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full(1, 10), "w"))
    model.graph.node[0].input[1] = "made"
    model.graph.node.insert(0, helper.make_node("Pow", ["w", "w"], ["size"], name="power"))
    model.graph.node.insert(1, helper.make_node("ConstantOfShape", ["size"], ["made"], name="huge"))


def _no_outputs(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    model.graph.node.append(helper.make_node("Sink", ["y"], [], domain="elsewhere"))


def _cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "z"
    model.graph.node.append(helper.make_node("Relu", ["y"], ["z"], name="relu"))


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


NAMED_TENSOR = r"tensor (name: w\)|'w' of \d+x\d+x3x3 cannot)"  # by onnx's checker, or behind it
MALFORMED_ONNX: dict[str, tuple[Callable, str]] = {
    "cut": (_cut, "no complete ONNX model"),
    "a bit flipped": (_flipped, "no complete ONNX model"),
    "more values than it holds": (_other_shape, NAMED_TENSOR),
    "a huge size": (_huge_size, NAMED_TENSOR),
    "a negative size": (_negative_size, "the tensor 'w' has a negative size, -2x3x3x3"),
    "a negative input": (_negative_input, "the input 'x' has a negative size, .*-8"),
    "a huge input": (_huge_input, "at most 268,435,456 values"),
    "huge pads": (_huge_pads, r"node 'conv' \(Conv\) .* at most"),
    "a huge constant": (_huge_constant, r"node 'huge' \(ConstantOfShape\) .* at most"),
    "a huge constant of a computed size": (
        _computed_huge_constant,
        r"node 'huge' \(ConstantOfShape\) .* at most",
    ),
    "a node without outputs": (_no_outputs, r"\(Sink\) is an operator of elsewhere"),
    "a cycle": (
        _cycle,
        r"node '(conv|relu)' \(\w+\) needs its own result, through node '(conv|relu)'",
    ),
    "weights outside the folder": (
        _weights_elsewhere,
        r"weights in another file, .* name: w\) .*'\.\./secret' points outside",
    ),
    "another type": (_double, "float32 input, got 'x' of double"),
    "filters of another picture": (
        _filters_of_another_picture,
        r"node 'conv' \(Conv\) cannot be compiled",
    ),
}


def _state() -> dict[str, torch.Tensor]:
    return create_model("shufflenet-0.25x-g3").state_dict()


def _cut_checkpoint(path: Path) -> None:
    torch.save(_state(), path)
    path.write_bytes(_cut(path.read_bytes()))


def _flipped_checkpoint(path: Path) -> None:
    """A bit of the pickle that names the tensors."""
    torch.save(_state(), path)
    content = bytearray(path.read_bytes())
    content[content.index(b"_rebuild_tensor")] ^= 1
    path.write_bytes(content)


def _reshaped(path: Path) -> None:
    torch.save(_state() | {"classifier.0.weight": torch.zeros(1000, 7)}, path)


def _endless(path: Path) -> None:
    """A tensor of 2^40 values that are all the same one."""
    torch.save({"classifier.0.weight": torch.zeros(1).expand(1 << 20, 1 << 20)}, path)


def _zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 28))


def _negative_safetensors(path: Path) -> None:
    header = {"w": {"dtype": "F32", "shape": [-2, 3], "data_offsets": [0, 24]}}
    words = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(words)) + words + bytes(24))


def _huge_safetensors(path: Path) -> None:
    """Its header claims to be of 2^60 bytes."""
    path.write_bytes(struct.pack("<Q", 1 << 60) + save({"w": torch.zeros(2)})[8:])


MALFORMED_CHECKPOINTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (_cut_checkpoint, "is cut off"),
    "a bit flipped": (_flipped_checkpoint, "was refused|is cut off"),
    "another shape": (_reshaped, r"classifier\.0\.weight \(1000, 7\) instead of"),
    "more values than it holds": (_endless, "1,099,511,627,776 values"),
    "a zip bomb": (_zip_bomb, "would unpack to 268,435,456"),
    "a negative size": (_negative_safetensors, "no safetensors file"),
    "a huge header": (_huge_safetensors, "no safetensors file"),
}
