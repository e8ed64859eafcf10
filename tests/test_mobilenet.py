"""MobileNet V1 has the layers of its paper's Table 1 at every width."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from model.mobilenet import MobileNetV1
from model.workloads import count_parameters
from model.zoo import create_model

# fmt: off
WIDTHS = [
    # width, stem, last layer, parameters (pytorchcv asserts the same)
    (1.0,  32, 1024, 4_231_976),
    (0.75, 24,  768, 2_585_560),
    (0.5,  16,  512, 1_331_592),
    (0.25,  8,  256,   470_072),
]
# fmt: on


@pytest.mark.parametrize(("width", "stem", "last", "parameters"), WIDTHS)
def test_a_width_scales_every_layer(width: float, stem: int, last: int, parameters: int) -> None:
    with torch.device("meta"):
        model = MobileNetV1(width)
    assert model.features[0].out_channels == stem
    assert model.classifier.in_features == last
    assert count_parameters(model) == parameters


def test_thirteen_depthwise_convolutions_alternate_with_pointwise_ones() -> None:
    with torch.device("meta"):
        convs = [layer for layer in MobileNetV1(1.0).features if isinstance(layer, nn.Conv2d)]
    stem, depthwise, pointwise = convs[0], convs[1::2], convs[2::2]
    assert (stem.in_channels, stem.kernel_size, stem.stride) == (3, (3, 3), (2, 2))
    assert len(depthwise) == len(pointwise) == 13
    assert all(conv.groups == conv.in_channels == conv.out_channels for conv in depthwise)
    assert {(conv.kernel_size, conv.groups) for conv in pointwise} == {((1, 1), 1)}
    assert [conv.stride[0] for conv in depthwise] == [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]


def test_every_convolution_has_a_batch_norm_and_a_relu_after_it() -> None:
    with torch.device("meta"):
        kinds = [type(layer) for layer in MobileNetV1(0.25).features]
    assert kinds == 27 * [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]


def test_features_of_the_published_size_are_seven_by_seven() -> None:
    with torch.device("meta"):
        x = torch.zeros(1, 3, 224, 224)
        assert MobileNetV1(0.5).features(x).shape == (1, 512, 7, 7)


@pytest.mark.parametrize("width", [1.0, 0.75, 0.5, 0.25])
@pytest.mark.parametrize("size", [(224, 224), (225, 225), (223, 317), (32, 32)])
def test_any_input_size_gives_logits(width: float, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        model = MobileNetV1(width).eval()
        assert model(torch.zeros(2, 3, *size)).shape == (2, 1000)


def test_pictures_of_a_batch_do_not_mix() -> None:
    model = create_model("mobilenet-0.25")
    x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        alone = torch.cat([model(picture[None]) for picture in x])
        # another batch size may sum in another order
        torch.testing.assert_close(model(x), alone, rtol=1e-4, atol=1e-5)
