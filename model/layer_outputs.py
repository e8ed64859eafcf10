"""A network with what its layers give as further outputs, so that each can be compared.

stem, stage2_1, stage2_2, .., stage4_4, classifier          ShuffleNet: one a unit
stem, block1, .., block13, classifier                       MobileNet: a depthwise and a 1x1
"""

from __future__ import annotations

from torch import Tensor, nn

from model.errors import InputError
from model.mobilenet import BLOCKS, MobileNetV1
from model.shufflenet import ShuffleNetV1

LAYER = 3  # modules of a MobileNet: convolution, batch norm, ReLU
FIRST_STAGE = 2  # as the paper counts


class LayerOutputsError(InputError):
    """A network whose layers are not known here."""


class LayerOutputs(nn.Module):
    """(N, 3, H, W) float32 to the output of each of `names`; the last are the network's logits.

    Raises `LayerOutputsError` for a network that is neither a ShuffleNet nor a MobileNet.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        parts = _parts(network)
        self.names = tuple(parts)
        self.parts = nn.ModuleList(parts.values())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = []
        for part in self.parts:
            x = part(x)
            outputs.append(x)
        return tuple(outputs)


def _parts(network: nn.Module) -> dict[str, nn.Module]:
    """The layers by name, in order."""
    if isinstance(network, ShuffleNetV1):
        stem, units = nn.Sequential(network.first_conv, network.maxpool), _units(network)
    elif isinstance(network, MobileNetV1):
        stem, units = network.features[:LAYER], _blocks(network)
    else:
        raise LayerOutputsError(
            f"the layers of {type(network).__name__} are not known; expected a ShuffleNet or a "
            "MobileNet"
        )
    head = nn.Sequential(network.globalpool, nn.Flatten(1), network.classifier)
    return {"stem": stem, **units, "classifier": head}


def _units(network: ShuffleNetV1) -> dict[str, nn.Module]:
    names = [
        f"stage{stage}_{number}"
        for stage, repeats in enumerate(network.config.stage_repeats, FIRST_STAGE)
        for number in range(1, repeats + 1)
    ]
    return dict(zip(names, network.features, strict=True))


def _blocks(network: MobileNetV1) -> dict[str, nn.Module]:
    starts = range(LAYER, LAYER + 2 * LAYER * len(BLOCKS), 2 * LAYER)
    blocks = (network.features[start : start + 2 * LAYER] for start in starts)
    return {f"block{number}": block for number, block in enumerate(blocks, 1)}
