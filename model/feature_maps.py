"""A network's trunk as a detector uses it: the maps of strides 4 to 32, without a classifier.

The paper puts ShuffleNet under Faster R-CNN (section 4.5); detectors take the last map of a stride,
where the picture has been looked at longest:

    stride 4     behind the max pool of the stem             1x g3 at 224:    24 x 56 x 56
    stride 8     behind stage 2                                              240 x 28 x 28
    stride 16    behind stage 3                                              480 x 14 x 14
    stride 32    behind stage 4                                              960 x 7 x 7
"""

from __future__ import annotations

from torch import Tensor, nn

from model.errors import InputError
from model.mobilenet import MobileNetV1
from model.shufflenet import ShuffleNetV1

STRIDES = (4, 8, 16, 32)


class FeatureMapsError(InputError):
    """A network without feature maps of the strides that detectors take."""


class FeatureMaps(nn.Module):
    """(N, 3, H, W) float32 to a map (N, C, h, w) for each of `strides`, in their order.

    h is H over the stride, rounded up, and w likewise. Raises `FeatureMapsError` for a network that
    has no map of any of `STRIDES`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        parts: list[list[nn.Module]] = [[]]  # one leads to each stride: 1, 2, 4, ...
        for layer in _trunk(network):
            if getattr(layer, "stride", 1) in (2, (2, 2)):
                parts.append([])
            parts[-1].append(layer)
        self.parts = nn.ModuleList(nn.Sequential(*part) for part in parts)
        self.strides = tuple(2**n for n in range(len(parts)) if 2**n in STRIDES)
        if not self.strides:
            raise _no_maps(network)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = []
        for halvings, part in enumerate(self.parts):
            x = part(x)
            if 2**halvings in self.strides:
                maps.append(x)
        return tuple(maps)


def _trunk(network: nn.Module) -> list[nn.Module]:
    """All layers before the global pool, in order."""
    if isinstance(network, ShuffleNetV1):
        return [*network.first_conv, network.maxpool, *network.features]
    if isinstance(network, MobileNetV1):
        return list(network.features)
    raise _no_maps(network)


def _no_maps(network: nn.Module) -> FeatureMapsError:
    return FeatureMapsError(
        f"{type(network).__name__} has no feature maps of strides {', '.join(map(str, STRIDES))}; "
        "ShuffleNets and MobileNets have"
    )
