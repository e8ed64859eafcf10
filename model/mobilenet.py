"""MobileNet V1 (Howard et al., arXiv 1704.04861, Table 1), a comparator."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (1.0, 0.75, 0.5, 0.25)
STEM_CHANNELS = 32
BLOCKS = (  # output channels at width 1.0, stride
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)


class MobileNetV1(nn.Module):
    """(N, 3, H, W) float32 to (N, classes) logits; `width` scales every layer's channels."""

    def __init__(self, width: float, classes: int = 1000) -> None:
        super().__init__()
        channels = int(STEM_CHANNELS * width)
        layers: list[nn.Module] = _conv_bn_relu(3, channels, 3, stride=2)
        for out, stride in BLOCKS:
            layers += _conv_bn_relu(channels, channels, 3, stride=stride, groups=channels)
            layers += _conv_bn_relu(channels, int(out * width), 1)
            channels = int(out * width)
        self.features = nn.Sequential(*layers)
        self.globalpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.globalpool(self.features(x)).flatten(1))


def _conv_bn_relu(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    padding = kernel // 2
    return [
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]
