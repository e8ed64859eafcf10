"""ONNX Runtime's int8 file of a network is of int8, calibrated, and answers like the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from bench.quantised_onnx import quantise_onnx

CHANNELS = 8


@pytest.fixture(scope="module")
def inputs() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.standard_normal((1, 3, 8, 8)).astype(np.float32) for _ in range(4)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, inputs: list[np.ndarray]) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    given, quantised = folder / "given.onnx", folder / "quantised.onnx"
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, CHANNELS, 3), torch.nn.ReLU()).eval()
    example = (torch.zeros(1, 3, 8, 8),)
    torch.onnx.export(module, example, str(given), dynamo=False, opset_version=17)
    quantise_onnx(given, inputs, quantised)
    return given, quantised


def test_weights_are_of_seven_bits_with_a_scale_for_each_channel(files: tuple[Path, Path]) -> None:
    values = [numpy_helper.to_array(v) for v in onnx.load(files[1]).graph.initializer]
    (weights,) = (v for v in values if v.dtype == np.int8 and v.ndim == 4)
    assert np.abs(weights).max() <= 64
    assert any(v.dtype == np.float32 and v.shape == (CHANNELS,) for v in values)


def test_it_answers_like_the_network(files: tuple[Path, Path], inputs: list[np.ndarray]) -> None:
    wanted, found = (_answer(file, inputs[0]) for file in files)
    assert 0 < np.abs(wanted - found).max() < 0.05 * np.ptp(wanted)


def test_nothing_else_is_left_in_the_folder(files: tuple[Path, Path]) -> None:
    assert sorted(files[0].parent.iterdir()) == sorted(files)


def _answer(file: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(file))
    return session.run(None, {session.get_inputs()[0].name: x})[0]
