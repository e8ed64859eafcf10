"""ShuffleNet V1 in PyTorch, in the paper's form and in the official code's.

Both are one module: they differ in where the channels are shuffled and in which direction. Its
state dict has the official checkpoint's keys.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.variants import BOTTLENECK, Convention, ShuffleNetConfig


class ChannelShuffle(nn.Module):
    """Moves channel i of a group into place i of the next: (N, C, H, W) to the same shape.

    paper: output channel j * groups + g is input channel g * (C / groups) + j. official: its
    inverse.
    """

    def __init__(self, groups: int, convention: Convention) -> None:
        super().__init__()
        self.groups = groups
        self.convention = convention

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        rows = self.groups if self.convention == "paper" else c // self.groups
        return x.reshape(n, rows, c // rows, h, w).transpose(1, 2).reshape(n, c, h, w)


class ShuffleUnit(nn.Module):
    """1x1 GConv, depthwise 3x3, 1x1 GConv beside a shortcut (Figure 2 b, c).

    Stride 1 adds the shortcut; stride 2 concatenates it, average-pooled, so that the branch makes
    `out_channels - in_channels` channels. `groups` of the first convolution may differ: 1 after the
    stem.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        groups: int,
        config: ShuffleNetConfig,
    ) -> None:
        super().__init__()
        middle = out_channels // BOTTLENECK
        branch = out_channels - in_channels if stride == 2 else out_channels
        self.stride = stride
        self.shuffle_first = config.convention == "paper"
        self.shuffle = (
            ChannelShuffle(config.groups, config.convention)
            if config.shuffle and config.groups > 1
            else nn.Identity()
        )
        self.branch_main_1 = nn.Sequential(
            nn.Conv2d(in_channels, middle, 1, groups=groups, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, middle, 3, stride, padding=1, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
        )
        self.branch_main_2 = nn.Sequential(
            nn.Conv2d(middle, branch, 1, groups=config.groups, bias=False),
            nn.BatchNorm2d(branch),
        )
        self.pool = nn.AvgPool2d(3, 2, padding=1) if stride == 2 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch_main_1[:3](x)
        y = self.shuffle(y) if self.shuffle_first else y
        y = self.branch_main_1[3:](y)
        y = y if self.shuffle_first else self.shuffle(y)
        y = self.branch_main_2(y)
        if self.stride == 2:
            return torch.cat([self.pool(x), torch.relu(y)], dim=1)
        return torch.relu(x + y)


class ShuffleNetV1(nn.Module):
    """(N, 3, H, W) float32 to (N, classes) logits; any H and W of 32 or more."""

    def __init__(self, config: ShuffleNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.stem_channels
        self.first_conv = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        units = []
        for out_channels, repeats in zip(config.stage_channels, config.stage_repeats, strict=True):
            for index in range(repeats):
                groups = config.groups if units else 1  # "not grouped": the stem is too narrow
                stride = 2 if index == 0 else 1
                units.append(ShuffleUnit(channels, out_channels, stride, groups, config))
                channels = out_channels
        self.features = nn.Sequential(*units)
        self.globalpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(channels, config.classes, bias=config.classifier_bias)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(self.maxpool(self.first_conv(x)))
        return self.classifier(self.globalpool(x).flatten(1))
