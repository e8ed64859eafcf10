"""Networks as files of TensorFlow Lite answer as PyTorch does, by the operators of a converter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import opcode_to_name, read_model
from torch import Tensor, nn

from bench.engine_loaders import load_litert
from bench.tflite_network import TfliteError, write_tflite
from model.alexnet import CrossChannelNorm
from model.zoo import create_model

CONVERTED = {  # what litert-torch 0.10 makes of ShuffleNet g3, and a RESHAPE more
    "TRANSPOSE": 49, "CONV_2D": 33, "RESHAPE": 33, "DEPTHWISE_CONV_2D": 16, "ADD": 13, "PAD": 7,
    "AVERAGE_POOL_2D": 3, "CONCATENATION": 3, "PADV2": 1, "MAX_POOL_2D": 1, "MEAN": 1,
    "FULLY_CONNECTED": 1,
}  # fmt: skip


class AlexNetsLayers(nn.Module):
    """A few of AlexNet's layers, smaller, and paddings that it does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2),
            nn.ReLU(),
            CrossChannelNorm(alpha=0.5),
            nn.Conv2d(16, 8, 3, padding=1, groups=2),
            nn.MaxPool2d(3, 2, padding=1),
            nn.AvgPool2d((2, 3), (1, 2), padding=1),
        )
        self.features[3].bias.data -= 9  # the largest is less than what a padding by 0 would be
        self.classifier = nn.Sequential(
            nn.Linear(8 * 6 * 3, 10), nn.ReLU(), nn.Linear(10, 5, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def error_of(module: nn.Module, shape: tuple[int, ...], folder: Path) -> float:
    """Of what the runtime answers for `module`, against PyTorch, over the range of that."""
    module.eval()
    path = folder / "network.tflite"
    write_tflite(module, shape, path)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = module(x).numpy().ravel()
    found = load_litert(str(path), 1)(x.numpy(), expected.size)
    return float(np.abs(found - expected).max() / np.ptp(expected))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("shufflenet-0.25x-g3", (64, 64)),
        ("shufflenet-1.0x-g8", (32, 32)),
        ("shufflenet-0.25x-g1", (33, 47)),
        ("mobilenet-0.25", (32, 64)),
    ],
)
def test_a_network_answers_as_pytorch_does(
    name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    module = create_model(name, input_size=size)
    assert error_of(module, (1, 3, *size), tmp_path) < 1e-5  # sums in another order


def test_the_official_network_shuffles_the_other_way(tmp_path: Path) -> None:
    module = create_model("shufflenet-0.25x-g3", convention="official")
    assert error_of(module, (1, 3, 32, 32), tmp_path) < 1e-5


def test_the_layers_of_alexnet_answer_as_pytorch_does(tmp_path: Path) -> None:
    assert error_of(AlexNetsLayers(), (1, 3, 21, 23), tmp_path) < 1e-5


def test_the_operators_are_those_of_the_converter(tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    write_tflite(create_model("shufflenet-0.25x-g3").eval(), (1, 3, 64, 64), path)
    model = read_model(path)
    found = (opcode_to_name(model, each.opcodeIndex) for each in model.subgraphs[0].operators)
    assert Counter(found) == CONVERTED


def test_relus_are_fused(tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    write_tflite(create_model("mobilenet-0.25").eval(), (1, 3, 32, 32), path)
    convolutions = read_model(path).subgraphs[0].operators[1:-3]
    relu = schema.ActivationFunctionType.RELU
    fused = [getattr(op.builtinOptions, "fusedActivationFunction", relu) for op in convolutions]
    assert set(fused) == {relu}


def test_a_layer_that_is_not_known_is_named(tmp_path: Path) -> None:
    path = tmp_path / "never.tflite"
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid()).eval()
    with pytest.raises(TfliteError, match=r"_1 is Sigmoid; known here are Conv2d, MaxPool2d"):
        write_tflite(module, (1, 3, 4, 4), path)
    assert not path.exists()
