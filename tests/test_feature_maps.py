"""A trunk gives the maps that its network has on the way to its classes."""

from __future__ import annotations

import pytest
import torch

from model.feature_maps import STRIDES, FeatureMaps, FeatureMapsError
from model.variants import STAGE_REPEATS
from model.zoo import build_module, create_model

SIZES = [(64, 64), (45, 70)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("convention", ["paper", "official"])
def test_a_shufflenet_gives_its_stem_and_its_stages(convention: str, size: tuple[int, int]) -> None:
    network = create_model("shufflenet-0.25x-g3", convention=convention)
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = FeatureMaps(network)(x)
        expected = [network.maxpool(network.first_conv(x))]
        units = list(network.features)
        for repeats in STAGE_REPEATS:
            stage, units = torch.nn.Sequential(*units[:repeats]), units[repeats:]
            expected.append(stage(expected[-1]))
        assert all(torch.equal(got, wanted) for got, wanted in zip(maps, expected, strict=True))
        scores = network.classifier(network.globalpool(maps[-1]).flatten(1))
        assert torch.equal(scores, network(x))
    for stride, each in zip(STRIDES, maps, strict=True):
        assert each.shape[2:] == tuple(-(-extent // stride) for extent in size)


def test_a_mobilenet_gives_the_last_map_of_each_stride() -> None:
    network = create_model("mobilenet-0.25")
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = FeatureMaps(network)(x)
        assert torch.equal(maps[-1], network.features(x))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (32, 16, 16), (64, 8, 8), (128, 4, 4), (256, 2, 2),
    ]  # fmt: skip


def test_a_trunk_has_no_classifier() -> None:
    network = create_model("shufflenet-0.25x-g3")
    of_classifier = sum(parameter.numel() for parameter in network.classifier.parameters())
    given, left = (
        sum(parameter.numel() for parameter in module.parameters())
        for module in (network, FeatureMaps(network))
    )
    assert given - left == of_classifier


def test_a_network_of_other_strides_is_refused() -> None:
    with torch.device("meta"):
        network = build_module("alexnet")
    with pytest.raises(FeatureMapsError, match=r"AlexNet has no feature maps .* ShuffleNets and"):
        FeatureMaps(network)
