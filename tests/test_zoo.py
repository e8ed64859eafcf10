"""Names are forgiving where they can be, and random weights are good to test with."""

from __future__ import annotations

import pytest
import torch

from model.alexnet import AlexNet, CrossChannelNorm
from model.variants import VariantError
from model.zoo import MODEL_NAMES, create_model, default_input_size, model_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shufflenet-1x-g3", "shufflenet-1.0x-g3"),
        ("shufflenet-0.50x-g3", "shufflenet-0.5x-g3"),
        ("mobilenet-1", "mobilenet-1.0"),
        ("alexnet", "alexnet"),
    ],
)
def test_a_name_has_one_canonical_form(text: str, name: str) -> None:
    assert model_name(text) == name


@pytest.mark.parametrize("text", ["shufflenet", "mobilenet-0.3", "resnet", "", "alexnet2"])
def test_an_unknown_name_says_which_are_known(text: str) -> None:
    with pytest.raises(VariantError, match="alexnet"):
        model_name(text)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_random_weights_give_logits_that_can_be_compared(name: str) -> None:
    size = default_input_size(name) if name == "alexnet" else (64, 64)
    x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = create_model(name)(x)
    assert logits.shape == (1, 1000)
    assert torch.isfinite(logits).all()
    assert 0.05 < logits.std() < 20


def test_weights_depend_on_their_seed_alone() -> None:
    torch.manual_seed(1)
    first = create_model("shufflenet-0.25x-g1").state_dict()
    torch.manual_seed(2)
    again = create_model("shufflenet-0.25x-g1").state_dict()
    other = create_model("shufflenet-0.25x-g1", seed=1).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["first_conv.0.weight"], other["first_conv.0.weight"])


def test_batch_norms_are_no_identity() -> None:
    norm = create_model("shufflenet-0.25x-g1").first_conv[1]
    assert (norm.running_var - 1).abs().max() > 0.1
    assert norm.running_mean.abs().max() > 0.05


def test_alexnets_normalisation_is_the_papers() -> None:
    """PyTorch divides alpha by the size, the paper does not."""
    x = 30 * torch.randn(1, 9, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)(x)
    torch.testing.assert_close(CrossChannelNorm()(x), expected)


@pytest.mark.parametrize("size", [(224, 224), (227, 227), (480, 640), (720, 1280)])
def test_alexnet_brings_every_size_to_its_classifier(size: tuple[int, int]) -> None:
    with torch.device("meta"):
        assert AlexNet(size)(torch.zeros(1, 3, *size)).shape == (1, 1000)


def test_alexnet_refuses_what_is_too_small() -> None:
    with pytest.raises(VariantError, match="6x6, an input of 64x64 gives 1x1"):
        AlexNet((64, 64))
