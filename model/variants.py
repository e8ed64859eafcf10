"""Which ShuffleNets exist: the channels of every scale and group count, and why some cannot.

Source: Zhang et al., arXiv 1707.01083v2, Table 1 and section 4.2; stems that the paper leaves open
are those of the official code, or reproduce the paper's costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from model.errors import InputError

Convention = Literal["paper", "official"]
"""Where and in which direction the channels are shuffled.

paper: before the depthwise convolution, reshape to (groups, n) and transpose. official: after it,
before the second grouped convolution, reshape to (n, groups): the inverse permutation. The official
classifier has no bias.
"""

GROUPS = (1, 2, 3, 4, 8)
SCALES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
STAGE_REPEATS = (4, 8, 4)
BOTTLENECK = 4  # every unit's inner channels are a quarter of its output

STAGE_CHANNELS = {  # 1x, stages 2 to 4 (Table 1)
    1: (144, 288, 576),
    2: (200, 400, 800),
    3: (240, 480, 960),
    4: (272, 544, 1088),
    8: (384, 768, 1536),
}
STEM_CHANNELS = {0.25: 12, 0.5: 12, 0.75: 24, 1.0: 24, 1.5: 24, 2.0: 48}  # 0.75 inferred
EXCEPTIONS = {  # (scale, groups): stem, stages
    (0.5, 4): (12, (144, 288, 576)),  # the paper's own, section 4.2
    (0.5, 8): (16, (192, 384, 768)),  # the official code's
    (0.25, 8): (8, (96, 192, 384)),  # stem inferred: 12 does not divide; 8 is nearest to 13 M MACs
}


class VariantError(InputError):
    """A network that cannot be built, or a name that is none."""


@dataclass(frozen=True)
class ShuffleNetConfig:
    """One ShuffleNet V1; channels are those of the stem and of stages 2, 3 and 4.

    `stage_repeats` are the units of each stage.
    """

    scale: float
    groups: int
    stem_channels: int
    stage_channels: tuple[int, int, int]
    convention: Convention = "paper"
    shuffle: bool = True
    classes: int = 1000
    classifier_bias: bool = True
    stage_repeats: tuple[int, int, int] = STAGE_REPEATS

    @property
    def name(self) -> str:
        """`shufflenet-1.0x-g3`."""
        return shufflenet_name(self.scale, self.groups)


def shufflenet_name(scale: float, groups: int) -> str:
    """The name of a variant on every command line: `shufflenet-1.0x-g3`."""
    return f"shufflenet-{scale if scale != int(scale) else f'{scale:.1f}'}x-g{groups}"


def shufflenet_config(
    scale: float,
    groups: int,
    *,
    convention: Convention = "paper",
    shuffle: bool = True,
    classes: int = 1000,
    classifier_bias: bool | None = None,
) -> ShuffleNetConfig:
    """The variant of `scale` and `groups`.

    `classifier_bias` follows the convention unless it is given: the official code has none.
    Raises `VariantError` where a convolution's channels are no multiple of its groups, saying which
    and naming the nearest variants that can be built.
    """
    if scale not in SCALES or groups not in GROUPS:
        raise VariantError(
            f"no ShuffleNet of scale {scale} with {groups} groups: scales are "
            f"{', '.join(map(str, SCALES))} and groups {', '.join(map(str, GROUPS))}"
        )
    bias = convention == "paper" if classifier_bias is None else classifier_bias
    config = replace(
        _planned_config(scale, groups),
        convention=convention,
        shuffle=shuffle,
        classes=classes,
        classifier_bias=bias,
    )
    fault = next(_indivisible(config), None)
    if fault is not None:
        raise VariantError(
            f"{config.name} cannot be built: {fault}; "
            f"the nearest that can: {', '.join(_nearest(scale, groups))}"
        )
    return config


def shufflenet_names() -> tuple[str, ...]:
    """The names of all variants that can be built, by scale, then groups."""
    return tuple(shufflenet_name(scale, groups) for scale, groups in _buildable())


def _planned_config(scale: float, groups: int) -> ShuffleNetConfig:
    scaled = tuple(int(channels * scale) for channels in STAGE_CHANNELS[groups])
    stem, stages = EXCEPTIONS.get((scale, groups), (STEM_CHANNELS[scale], scaled))
    return ShuffleNetConfig(scale, groups, stem, stages)


def _indivisible(config: ShuffleNetConfig) -> Iterator[str]:
    """A sentence for each grouped convolution whose channels its groups do not divide."""
    previous = config.stem_channels
    for stage, channels in enumerate(config.stage_channels, start=2):
        layers = {
            "bottleneck": channels / BOTTLENECK,
            "output": channels,
            "output beside the pooled shortcut": channels - previous,
        }
        for layer, count in layers.items():
            if count % config.groups:
                yield (
                    f"stage {stage} has {count:g} {layer} channels, "
                    f"which {config.groups} groups do not divide"
                )
        previous = channels


def _buildable() -> list[tuple[float, int]]:
    return [
        (scale, groups)
        for scale in SCALES
        for groups in GROUPS
        if next(_indivisible(_planned_config(scale, groups)), None) is None
    ]


def _nearest(scale: float, groups: int) -> list[str]:
    """Another group count at the same scale, and another scale with the same groups."""
    others = _buildable()
    same_scale = [pair for pair in others if pair[0] == scale]
    same_groups = [pair for pair in others if pair[1] == groups]
    nearest = [
        min(same_scale, key=lambda pair: abs(pair[1] - groups)),
        min(same_groups, key=lambda pair: abs(pair[0] - scale)),
    ]
    return [shufflenet_name(*pair) for pair in nearest]
