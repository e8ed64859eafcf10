"""The networks of the paper's ablation at 32x32: groups, shuffle, and MobileNet at equal MACs.

They have a quarter of the paper's units in each stage, so that a training takes seconds, as it
halves them for its shallow ShuffleNet (section 4.3). The widths are chosen so that all have about
the multiply-adds of MobileNet 0.125, which has the more layers then.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from model.mobilenet import MobileNetV1
from model.shufflenet import ShuffleNetV1
from model.variants import ShuffleNetConfig

UNITS = (1, 2, 1)
MOBILENET_WIDTH = 0.125
WIDTHS = {  # groups: stem, stages; 248 to 251 thousand MACs at 32x32 with ten classes
    1: (12, (68, 136, 272)),
    2: (12, (96, 184, 368)),
    3: (12, (108, 228, 456)),
    4: (12, (128, 256, 496)),
    8: (8, (192, 384, 768)),
}


@dataclass(frozen=True)
class AblationNetwork:
    """A ShuffleNet of `groups`, with the channel shuffle or without; no groups: MobileNet."""

    groups: int | None
    shuffle: bool = False

    @property
    def name(self) -> str:
        """`g3`, `g3 without shuffle`, `mobilenet-0.125`."""
        if self.groups is None:
            return f"mobilenet-{MOBILENET_WIDTH}"
        return f"g{self.groups}" + (
            " without shuffle" if self.groups > 1 and not self.shuffle else ""
        )

    def build(self, classes: int) -> nn.Module:
        """With PyTorch's initial weights."""
        if self.groups is None:
            return MobileNetV1(MOBILENET_WIDTH, classes)
        stem, stages = WIDTHS[self.groups]
        config = ShuffleNetConfig(
            scale=0.25,
            groups=self.groups,
            stem_channels=stem,
            stage_channels=stages,
            shuffle=self.shuffle,
            classes=classes,
            stage_repeats=UNITS,
        )
        return ShuffleNetV1(config)


NETWORKS = (
    AblationNetwork(1),
    *(AblationNetwork(groups, shuffle) for groups in (2, 3, 4, 8) for shuffle in (True, False)),
    AblationNetwork(None),
)
