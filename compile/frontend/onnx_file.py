"""An ONNX file as a checked model: complete, weights beside it read, one float32 picture in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, checker, helper, version_converter
from onnx.external_data_helper import load_external_data_for_model

from compile.frontend.onnx_contradictions import contradiction_in
from model.errors import InputError
from model.pnnx_graph import has_rounded_weights, in_onnx_operators, is_of_pnnx

PICTURE_CHANNELS = (1, 3, 4)  # what tells (N, H, W, C) from (N, C, H, W)
OLDEST_OPSET = 7  # before it, operators broadcast by attributes: such files are lifted to LIFTED
LIFTED_OPSET = 9
OPERATORS = ("", "ai.onnx")  # ONNX's own domain, by its two names
ROUNDED = (
    "pnnx rounded the weights in the file to float16, so logits differ from the original "
    "network's; pnnx's option fp16=False keeps float32"
)


class OnnxError(InputError):
    """An ONNX file that cannot be read, or that holds what cannot be compiled."""


@dataclass(frozen=True)
class OnnxInput:
    """The picture that a model takes; `shape` as the file has it, every dimension fixed.

    With `channels_last` that is (N, H, W, C), as TensorFlow has it. `notes` say what was open.
    """

    name: str
    shape: tuple[int, int, int, int]
    channels_last: bool
    notes: tuple[str, ...] = ()

    @property
    def nchw_shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        if not self.channels_last:
            return self.shape
        batch, height, width, channels = self.shape
        return batch, channels, height, width


@dataclass(frozen=True)
class OnnxFile:
    """A checked model, complete; `notes` say what its reader should know of it."""

    model: ModelProto
    notes: tuple[str, ...] = ()


def load_onnx(path: Path) -> OnnxFile:
    """The model at `path` with the weights that it keeps in other files of its folder.

    Opsets before 7 are lifted to 9, a graph of pnnx becomes one of ONNX's operators. Raises
    `OnnxError` where the file is cut off, contradicts itself, or names weights outside its folder,
    `PnnxError` where pnnx's graph has no counterpart.
    """
    file = _decoded(path)
    model = file.model
    _read_weights_beside(model, path)
    if contradiction := contradiction_in(model.graph):
        raise OnnxError(f"{path} cannot be computed: {contradiction}; export it again")
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        raise OnnxError(
            f"{path} is no sound ONNX model ({first_line(error)}); export or download it again"
        ) from error
    return OnnxFile(_lifted(model, path), file.notes)


def opset_of(model: ModelProto) -> int:
    """The version of ONNX's own operators that `model` is written in."""
    versions = [opset.version for opset in model.opset_import if opset.domain in OPERATORS]
    return max(versions, default=1)


def picture_input(model: ModelProto, input_size: tuple[int, int] | None) -> OnnxInput:
    """The one input of `model`; (H, W) as `input_size` says where the file leaves them open.

    An open batch is fixed to one picture. Raises `OnnxError` where there is not one float32 input
    of four dimensions, where a size stays open, or where the file fixes another one or several
    pictures.
    """
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise OnnxError(f"expected an ONNX model with one input, got {len(inputs)}: {names}")
    name, kind = inputs[0].name, inputs[0].type.tensor_type
    if kind.elem_type != TensorProto.FLOAT:
        raise OnnxError(
            f"expected a float32 input, got {name!r} of {_type_name(kind.elem_type)}; export the "
            "network in float32"
        )
    dims = [dim.dim_value for dim in kind.shape.dim]
    if len(dims) != 4:
        raise OnnxError(f"expected an input of 4 dimensions (N, C, H, W), got {_named(kind)}")
    if min(dims) < 0:
        raise OnnxError(f"the input {name!r} has a negative size, {_named(kind)}; export it again")
    if dims[0] > 1:
        raise OnnxError(
            f"expected one picture at a time, the input {name!r} fixes a batch of {dims[0]}; "
            "export the network with an example of one picture, as in torch.onnx.export(model, "
            "(torch.zeros(1, C, H, W),), ...), or with an open batch (its dynamic_shapes or "
            "dynamic_axes), which is fixed to 1 here"
        )
    channels_last = dims[1] not in PICTURE_CHANNELS and dims[3] in PICTURE_CHANNELS
    places = (1, 2) if channels_last else (2, 3)
    notes = [] if dims[0] else [f"the batch of the input {name!r} is open in the file: fixed to 1"]
    if input_size is not None:
        fixed = (dims[places[0]], dims[places[1]])
        _refuse_other_size(fixed, input_size)
        if 0 in fixed:
            size = "x".join(map(str, input_size))
            notes.append(f"the size of the input {name!r} is open in the file: fixed to {size}")
        dims[places[0]], dims[places[1]] = input_size
    shape = (dims[0] or 1, *dims[1:])
    if 0 in shape:
        raise OnnxError(
            f"the input {name!r} has dynamic dimensions {_named(kind)}; fix height and width with "
            "--input-size HxW, channels in the export"
        )
    return OnnxInput(name, shape, channels_last, tuple(notes))


def first_line(error: Exception) -> str:
    """The first line of what `error` says, or its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _decoded(path: Path) -> OnnxFile:
    """What the file itself holds, without the weights that it keeps in others; not checked yet."""
    try:
        model = onnx.load(path, load_external_data=False)
        _require_text(model)
        if not model.HasField("graph"):
            raise ValueError("there is no graph in it")
        if is_of_pnnx(model):
            notes = (ROUNDED,) if has_rounded_weights(model) else ()
            return OnnxFile(in_onnx_operators(model), notes)
    except (DecodeError, ValueError, OSError) as error:
        raise OnnxError(
            f"{path} is no complete ONNX model ({first_line(error)}); "
            f"{path.stat().st_size} bytes came: export or download it again"
        ) from error
    return OnnxFile(model)


def _read_weights_beside(model: ModelProto, path: Path) -> None:
    try:
        load_external_data_for_model(model, str(path.parent))
    except (checker.ValidationError, ValueError, OSError) as error:
        raise OnnxError(
            f"{path} keeps weights in another file, which cannot be read ({first_line(error)}); "
            f"put that file where the export wrote it, in the folder of {path.name} or below"
        ) from error


def _lifted(model: ModelProto, path: Path) -> ModelProto:
    if opset_of(model) >= OLDEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, LIFTED_OPSET)
    except (RuntimeError, ValueError) as error:
        raise OnnxError(
            f"{path} is of opset {opset_of(model)} and cannot be lifted to {LIFTED_OPSET} "
            f"({first_line(error)}); export it again with opset {LIFTED_OPSET} or newer"
        ) from error


def _require_text(model: ModelProto) -> None:
    """Raises `ValueError` for a name that is no UTF-8, which protobuf hands out as bytes."""
    for node in model.graph.node:
        for text in (node.op_type, node.name, node.domain, *node.input, *node.output):
            if not isinstance(text, str):
                raise ValueError(f"the name {text!r} is no UTF-8")


def _refuse_other_size(of_file: tuple[int, int], asked: tuple[int, int]) -> None:
    if all(fixed in (0, wanted) for fixed, wanted in zip(of_file, asked, strict=True)):
        return
    raise OnnxError(
        f"the ONNX file fixes the input size to {of_file[0]}x{of_file[1]}, --input-size asked for "
        f"{asked[0]}x{asked[1]}; export it again at that size, or leave --input-size away"
    )


def _type_name(elem_type: int) -> str:
    return TensorProto.DataType.Name(elem_type).lower() if elem_type else "no type"


def _named(kind: helper.TypeProto.Tensor) -> list[str]:
    return [dim.dim_param or str(dim.dim_value) for dim in kind.shape.dim]
