"""A PyTorch network through ONNX Runtime."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch

from model.predictions import Run


def onnx_engine(module: torch.nn.Module, input_shape: tuple[int, ...]) -> Run:
    """`module`, in eval mode, for float32 pictures of `input_shape`; runs on one thread."""
    import onnxruntime  # half a second that other engines need not wait

    exported = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(module, (torch.zeros(input_shape),), exported, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        exported.getvalue(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(x: np.ndarray) -> np.ndarray:
        return session.run(None, {name: x})[0]

    return run
