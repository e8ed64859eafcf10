"""A network with its layers as outputs is the same network."""

from __future__ import annotations

import pytest
import torch

from model.layer_outputs import LayerOutputs, LayerOutputsError
from model.zoo import build_module, create_model


@pytest.mark.parametrize("name", ["shufflenet-0.25x-g3", "mobilenet-0.25"])
def test_the_last_output_is_the_networks(name: str) -> None:
    network = create_model(name)
    layers = LayerOutputs(network).eval()
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs = layers(x)
        assert torch.equal(outputs[-1], network(x))
    assert len(outputs) == len(layers.names)


def test_every_unit_of_a_shufflenet_has_a_name() -> None:
    network = create_model("shufflenet-0.25x-g3")
    names = LayerOutputs(network).names
    assert len(names) == len(network.features) + 2
    assert (names[:2], names[-2:]) == (("stem", "stage2_1"), ("stage4_4", "classifier"))


def test_every_block_of_a_mobilenet_has_a_name() -> None:
    names = LayerOutputs(create_model("mobilenet-0.25")).names
    assert names == ("stem", *(f"block{number}" for number in range(1, 14)), "classifier")


def test_another_network_is_refused() -> None:
    with torch.device("meta"):
        network = build_module("alexnet")
    with pytest.raises(LayerOutputsError, match="AlexNet are not known; expected a ShuffleNet or"):
        LayerOutputs(network)
