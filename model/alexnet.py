"""The original AlexNet (Krizhevsky et al., NIPS 2012), two groups and LRN, a comparator.

Not torchvision's, which is the later "one weird trick" network of 714 M MACs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.variants import VariantError

FEATURE_SIZE = 6  # rows and columns that the first fully connected layer takes
SPATIAL_REDUCTION = ((11, 4, 0), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 2, 0))
"""Kernel, stride and padding of the layers that change the picture's size, up to the last pool."""


class CrossChannelNorm(nn.Module):
    """Local response normalisation over 5 channels: x / (2 + 1e-4 * sum of squares) ** 0.75.

    As in the paper (section 3.3: k = 2, n = 5, alpha = 1e-4), where alpha is not divided by n.
    """

    def __init__(
        self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
    ) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        half, channels = self.size // 2, x.shape[1]
        squares = functional.pad(x * x, (0, 0, 0, 0, half, half))
        total = squares[:, :channels]
        for offset in range(1, self.size):
            total = total + squares[:, offset : offset + channels]
        return x / torch.pow(self.k + self.alpha * total, self.beta)


class AlexNet(nn.Module):
    """(N, 3, H, W) float32 to (N, classes) logits, made for one (H, W): 227x227 is the original.

    At another size the features are not 6x6. Our choice there: the fully connected layers stay as
    they are, and an average pool, stride by size, brings the features down to 6x6; where they are
    smaller (224 gives 5x5 otherwise), the first convolution is padded by 2. Raises `VariantError`
    where even that leaves less than 6x6.
    """

    def __init__(self, input_size: tuple[int, int] = (227, 227), classes: int = 1000) -> None:
        super().__init__()
        padding = 2 if min(input_size) < 227 else 0
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, 4, padding=padding),
            nn.ReLU(),
            CrossChannelNorm(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            nn.ReLU(),
            CrossChannelNorm(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.reduce = _pool_to_feature_size(input_size, _feature_size(input_size, padding))
        self.classifier = nn.Sequential(
            nn.Linear(256 * FEATURE_SIZE * FEATURE_SIZE, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.reduce(self.features(x)).flatten(1))


def _feature_size(input_size: tuple[int, int], stem_padding: int) -> tuple[int, int]:
    """Rows and columns after the last pool."""

    def reduced(size: int) -> int:
        for index, (kernel, stride, padding) in enumerate(SPATIAL_REDUCTION):
            size = (
                size + 2 * (padding or (stem_padding if index == 0 else 0)) - kernel
            ) // stride + 1
        return size

    return reduced(input_size[0]), reduced(input_size[1])


def _pool_to_feature_size(input_size: tuple[int, int], size: tuple[int, int]) -> nn.Module:
    if size == (FEATURE_SIZE, FEATURE_SIZE):
        return nn.Identity()
    strides = tuple(extent // FEATURE_SIZE for extent in size)
    if 0 in strides:
        raise VariantError(
            f"AlexNet's classifier takes features of at least 6x6, an input of {input_size[0]}x"
            f"{input_size[1]} gives {size[0]}x{size[1]}; take an input of 224x224 or more"
        )
    kernels = tuple(
        extent - (FEATURE_SIZE - 1) * stride for extent, stride in zip(size, strides, strict=True)
    )
    return nn.AvgPool2d(kernels, strides)
