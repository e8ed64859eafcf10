"""ONNX file to canonical Relax."""

from __future__ import annotations

import hashlib
import math
import warnings
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx.reference import ReferenceEvaluator
from tvm.error import OpAttributeUnImplemented, OpNotImplemented
from tvm.relax.frontend.onnx import from_onnx

from compile.frontend.canonical import canonicalise, static_shape
from compile.network import Network
from model.errors import InputError


class OnnxError(InputError):
    """An ONNX file that cannot be read, or that TVM's importer does not take."""


def import_onnx(path: Path, *, input_size: tuple[int, int] | None, preprocessing: str) -> Network:
    """Imports the ONNX file at `path`; any opset that TVM takes.

    `input_size` (H, W) fixes dynamic height and width; a dynamic batch becomes 1. The network's
    reference is onnx's own evaluator.
    """
    model = _load(path)
    input_name, input_shape = _input_of(model, input_size)
    relax_module = canonicalise(_to_relax(model, path, input_name, input_shape))
    evaluator = ReferenceEvaluator(model)
    return Network(
        name=path.stem,
        module=relax_module,
        input_shape=input_shape,
        output_shape=static_shape([relax_module["main"].body], "output"),
        preprocessing=preprocessing,
        parameters=sum(math.prod(tensor.dims) for tensor in model.graph.initializer),
        reference=lambda image: np.asarray(evaluator.run(None, {input_name: image})[0]),
        reference_name=f"onnx {onnx.__version__} reference evaluator",
        provenance={
            "onnx": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "opset": max(opset.version for opset in model.opset_import),
        },
    )


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        raise OnnxError(
            f"{path} is no complete ONNX model ({_first_line(error)}); "
            f"{path.stat().st_size} bytes came: export or download it again"
        ) from error
    return model


def _input_of(
    model: onnx.ModelProto, input_size: tuple[int, int] | None
) -> tuple[str, tuple[int, int, int, int]]:
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise OnnxError(f"expected an ONNX model with one input, got {len(inputs)}: {names}")
    dims = inputs[0].type.tensor_type.shape.dim
    if len(dims) != 4:
        raise OnnxError(f"expected an input of 4 dimensions (N, C, H, W), got {len(dims)}")
    batch, channels, height, width = (dim.dim_value for dim in dims)
    if input_size is not None:
        _refuse_other_size((height, width), input_size)
        height, width = input_size
    shape = (batch or 1, channels, height, width)
    if 0 in shape:
        raise OnnxError(
            f"the input {inputs[0].name!r} has dynamic dimensions {_named(dims)}; "
            "fix height and width with --input-size HxW"
        )
    return inputs[0].name, shape


def _refuse_other_size(of_file: tuple[int, int], asked: tuple[int, int]) -> None:
    if all(fixed in (0, wanted) for fixed, wanted in zip(of_file, asked, strict=True)):
        return
    raise OnnxError(
        f"the ONNX file fixes the input size to {of_file[0]}x{of_file[1]}, --input-size asked for "
        f"{asked[0]}x{asked[1]}; export it again at that size, or leave --input-size away"
    )


def _to_relax(model: onnx.ModelProto, path: Path, name: str, shape: tuple[int, ...]) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the model was checked above
            return from_onnx(model, shape_dict={name: list(shape)}, sanitize_input_names=True)
    except (OpNotImplemented, OpAttributeUnImplemented) as error:
        raise OnnxError(f"{path} uses what cannot be imported: {_first_line(error)}") from error
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise OnnxError(f"{path} does not import: {_first_line(error)}") from error


def _named(dims: object) -> list[str]:
    return [dim.dim_param or str(dim.dim_value) for dim in dims]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
