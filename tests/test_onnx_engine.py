"""ONNX Runtime runs what PyTorch does."""

from __future__ import annotations

import numpy as np
import torch

from model.onnx_engine import onnx_engine
from model.zoo import create_model


def test_onnx_runtime_gives_pytorchs_logits() -> None:
    module = create_model("shufflenet-0.25x-g3")
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    with torch.inference_mode():
        expected = module(torch.from_numpy(x)).numpy()
    found = onnx_engine(module, x.shape)(x)
    assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)  # sums in another order
