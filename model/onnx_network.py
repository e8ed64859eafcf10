"""A network of an ONNX file, through ONNX Runtime: the reference of what is built from the file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from model.errors import InputError
from model.onnx_weights import weight_files
from model.pnnx_graph import in_onnx_operators, is_of_pnnx
from model.predictions import Run

if TYPE_CHECKING:
    import onnxruntime

PICTURE_CHANNELS = (1, 3)  # what tells (N, H, W, C) from (N, C, H, W)
ERRORS_ONLY = 3  # of ONNX Runtime's severities of what it logs


class OnnxNetworkError(InputError):
    """An ONNX file that ONNX Runtime cannot read, or that gives no classes of one picture."""


@dataclass(frozen=True)
class OnnxNetwork:
    """`run` takes float32 (1, 3, H, W), H and W being `size`, and gives logits (1, classes).

    `weight_files` are the hashes of what the file keeps in other files.
    """

    name: str
    run: Run
    size: tuple[int, int]
    classes: int
    sha256: str
    weight_files: dict[str, str]
    preprocessing: str = "imagenet"
    convention: None = None


def load_onnx_network(path: Path, input_size: tuple[int, int] | None = None) -> OnnxNetwork:
    """Reads the file at `path`; (H, W) as `input_size` says where the file leaves them open.

    Raises `OnnxNetworkError`; `PnnxError` for a graph of pnnx that has no counterpart in ONNX.
    """
    session = _session(path, _readable(path))
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise OnnxNetworkError(
            f"expected {path} to take one picture of 4 dimensions, it takes "
            f"{', '.join(f'{each.name} {each.shape}' for each in inputs)}"
        )
    (picture,) = inputs
    channels_last = (
        picture.shape[1] not in PICTURE_CHANNELS and picture.shape[3] in PICTURE_CHANNELS
    )
    size = _size(picture.shape[1:3] if channels_last else picture.shape[2:], input_size, path)

    def run(x: np.ndarray) -> np.ndarray:
        given = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if channels_last else x
        return session.run(None, {picture.name: given})[0].reshape(1, -1)

    if len(session.get_outputs()) != 1:
        names = ", ".join(each.name for each in session.get_outputs())
        raise OnnxNetworkError(f"expected {path} to give the scores of classes, it gives {names}")
    try:
        classes = run(np.zeros((1, 3, *size), np.float32)).shape[1]
    except Exception as error:  # again of its own types
        raise OnnxNetworkError(
            f"expected {path} to take one picture, float32 (1, 3, {size[0]}, {size[1]}), it takes "
            f"{picture.type} {picture.shape}: {str(error).splitlines()[0]}; export it so"
        ) from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return OnnxNetwork(path.stem, run, size, classes, digest, weight_files(path))


def _readable(path: Path) -> Path | bytes:
    """What ONNX Runtime reads: a graph of pnnx in ONNX's operators, any other file as it is."""
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError):
        return path
    return in_onnx_operators(model).SerializeToString() if is_of_pnnx(model) else path


def _session(path: Path, model: Path | bytes) -> onnxruntime.InferenceSession:
    import onnxruntime  # half a second that other engines need not wait

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own types derive from no other
        raise OnnxNetworkError(
            f"ONNX Runtime cannot read {path}: {str(error).splitlines()[0]}; export it again"
        ) from error


def _size(of_file: list[object], asked: tuple[int, int] | None, path: Path) -> tuple[int, int]:
    """(H, W); in a file an open one is a name, or None."""
    fixed = [extent if isinstance(extent, int) else None for extent in of_file]
    size = asked or tuple(fixed)
    if None in size or any(f not in (None, a) for f, a in zip(fixed, size, strict=True)):
        said = "x".join(map(str, of_file))
        wanted = f"{asked[0]}x{asked[1]} was asked for" if asked else "which --input-size fixes"
        raise OnnxNetworkError(f"{path} takes pictures of {said}, {wanted}")
    return size
