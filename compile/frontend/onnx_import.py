"""ONNX file to canonical Relax."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from compile.frontend.canonical import canonicalise, named_outputs
from compile.frontend.onnx_constants import TO_CHANNELS_LAST, fold_constants
from compile.frontend.onnx_file import (
    OnnxError,
    OnnxInput,
    first_line,
    load_onnx,
    opset_of,
    picture_input,
)
from compile.frontend.onnx_operators import to_relax
from compile.network import Network
from model.onnx_weights import weight_files

ERRORS_ONLY = 3  # of ONNX Runtime's severities of what it logs


def import_onnx(path: Path, *, input_size: tuple[int, int] | None, preprocessing: str) -> Network:
    """Imports the ONNX file at `path`, of any opset.

    `input_size` (H, W) fixes dynamic height and width; a dynamic batch becomes 1: the network's
    `notes` say so. A network whose pictures have their channels last, (N, H, W, C), becomes one of
    (N, C, H, W). The network's reference is ONNX Runtime: onnx's own evaluator gives batch norms of
    old opsets other values.
    """
    file = load_onnx(path)
    model = file.model
    picture = picture_input(model, input_size)
    folded = fold_constants(model, picture)
    relax_module = canonicalise(to_relax(folded, opset_of(model)))
    return Network(
        name=path.stem,
        module=relax_module,
        input_shape=picture.nchw_shape,
        outputs=named_outputs(relax_module, dict.fromkeys(o.name for o in model.graph.output)),
        preprocessing=preprocessing,
        parameters=folded.parameters,
        references=_References(model, picture),
        reference_name=f"ONNX Runtime {onnxruntime.__version__}",
        provenance={
            "onnx": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "weight_files": weight_files(path),
            "opset": opset_of(model),
        },
        notes=(*file.notes, *picture.notes),
    )


class _References:
    """What ONNX Runtime makes of a picture, float32 (N, C, H, W), by the file's own graph."""

    def __init__(self, model: onnx.ModelProto, picture: OnnxInput) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own types derive from no other
            raise OnnxError(
                f"ONNX Runtime, which builds are verified against, refuses the file: "
                f"{first_line(error)}"
            ) from error
        self._picture = picture

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        given = image.transpose(TO_CHANNELS_LAST) if self._picture.channels_last else image
        return self._session.run(None, {self._picture.name: np.ascontiguousarray(given)})
