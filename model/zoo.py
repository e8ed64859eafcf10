"""Every network by name, with seeded weights that stand in for trained ones."""

from __future__ import annotations

import difflib
import re

import torch
from torch import nn

from model.alexnet import AlexNet
from model.mobilenet import WIDTHS, MobileNetV1
from model.shufflenet import ShuffleNetV1, ShuffleUnit
from model.variants import (
    Convention,
    VariantError,
    shufflenet_config,
    shufflenet_name,
    shufflenet_names,
)

DEFAULT_MODEL = "shufflenet-1.0x-g3"
MODEL_NAMES = (*shufflenet_names(), *(f"mobilenet-{width}" for width in WIDTHS), "alexnet")
SHUFFLENET_NAME = re.compile(r"shufflenet-(\d+(?:\.\d+)?)x-g(\d+)")
MOBILENET_NAME = re.compile(r"mobilenet-(\d+(?:\.\d+)?)")
BRANCH_SCALE = 0.3  # of random weights: shortcuts would double the activations at every unit


def model_name(text: str) -> str:
    """The canonical form of a network's name: `shufflenet-1x-g3` is `shufflenet-1.0x-g3`.

    Raises `VariantError` for a name that is none, or a network that cannot be built.
    """
    shufflenet = SHUFFLENET_NAME.fullmatch(text)
    if shufflenet:
        scale, groups = float(shufflenet[1]), int(shufflenet[2])
        shufflenet_config(scale, groups)
        return shufflenet_name(scale, groups)
    mobilenet = MOBILENET_NAME.fullmatch(text)
    name = f"mobilenet-{float(mobilenet[1])}" if mobilenet else text
    if name in MODEL_NAMES:
        return name
    near = difflib.get_close_matches(name, MODEL_NAMES, n=3, cutoff=0.3)
    guess = f"did you mean {', '.join(near)}? " if near else ""
    raise VariantError(
        f"unknown model {text!r}; {guess}Known: shufflenet-SCALEx-gGROUPS, mobilenet-WIDTH "
        f"({', '.join(map(str, WIDTHS))}), alexnet"
    )


def shuffles_channels(name: str) -> bool:
    """Whether the network `name` is a ShuffleNet, which has a convention of shuffling."""
    return SHUFFLENET_NAME.fullmatch(name) is not None


def build_module(
    name: str,
    *,
    input_size: tuple[int, int] | None = None,
    convention: Convention = "paper",
    shuffle: bool = True,
    classes: int = 1000,
    classifier_bias: bool | None = None,
) -> nn.Module:
    """The network `name` with PyTorch's initial weights, in training mode.

    `input_size` (H, W) matters to AlexNet alone, whose classifier has a fixed size; `convention`,
    `shuffle` and `classifier_bias` (by the convention, unless given) to ShuffleNets alone.
    """
    name = model_name(name)
    shufflenet = SHUFFLENET_NAME.fullmatch(name)
    if shufflenet:
        scale, groups = float(shufflenet[1]), int(shufflenet[2])
        config = shufflenet_config(
            scale,
            groups,
            convention=convention,
            shuffle=shuffle,
            classes=classes,
            classifier_bias=classifier_bias,
        )
        return ShuffleNetV1(config)
    if name == "alexnet":
        return AlexNet(input_size or default_input_size(name), classes)
    return MobileNetV1(float(name.removeprefix("mobilenet-")), classes)


def create_model(
    name: str,
    *,
    input_size: tuple[int, int] | None = None,
    convention: Convention = "paper",
    shuffle: bool = True,
    seed: int = 0,
) -> nn.Module:
    """The network `name` in eval mode, with weights drawn from `seed`.

    Batch norms get statistics and factors other than 0 and 1, so that folding them is no identity,
    and every layer keeps the scale of its input, so that logits neither vanish nor overflow.
    """
    module = build_module(name, input_size=input_size, convention=convention, shuffle=shuffle)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            _draw_weights(layer, random)
        for layer in module.modules():
            if isinstance(layer, ShuffleUnit):
                layer.branch_main_2[1].weight.mul_(BRANCH_SCALE)
    return module.eval()


def default_input_size(name: str) -> tuple[int, int]:
    """The (H, W) a network was published with."""
    return (227, 227) if name == "alexnet" else (224, 224)


def _draw_weights(layer: nn.Module, random: torch.Generator) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        fan_in = layer.weight[0].numel()
        layer.weight.normal_(0, (2 / fan_in) ** 0.5, generator=random)
        if layer.bias is not None:
            layer.bias.uniform_(-0.1, 0.1, generator=random)
    elif isinstance(layer, nn.BatchNorm2d):
        layer.weight.uniform_(0.6, 1.2, generator=random)
        layer.bias.uniform_(-0.2, 0.2, generator=random)
        layer.running_mean.uniform_(-0.2, 0.2, generator=random)
        layer.running_var.uniform_(0.8, 1.4, generator=random)
