"""python -m tests.pnnx_files: networks as pnnx writes them, into tests/pnnx, by pnnx itself.

The files are kept because pnnx is of the extra `peers`, which tests do without; theirs are of pnnx
20261020. Weights are drawn by NumPy, so that the same module is there to compare with.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from model.shufflenet import ShuffleNetV1
from model.variants import Convention, ShuffleNetConfig

FOLDER = Path(__file__).resolve().parent / "pnnx"
SIDE = 32
SCRIPT = "paper_pnnx.py"


class Spellings(nn.Module):
    """Operators that pnnx does not write of our own module, in a network of two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.shuffle = nn.ChannelShuffle(3)
        self.head = nn.Linear(24, 5, bias=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.norm(torch.relu(self.stem(x)))
        x = F.max_pool2d(self.shuffle(x), 3, 2, 1)
        n, c, h, w = x.shape
        y = x.reshape(n * c // 4, 4, h * w).permute(1, 0, 2).reshape(n, c, h, w)
        y = self.depthwise(y).view(n, 4, 3, h * w).transpose(1, 2).reshape(n, c, h, w)
        y = F.channel_shuffle(y, 2)
        y = torch.cat([F.avg_pool2d(x, 3, 2, ceil_mode=True), F.avg_pool2d(y + x, 2, 2)], dim=1)
        scores = self.head(F.adaptive_avg_pool2d(y, 1).view(n, -1))
        return torch.softmax(scores, 1), y.mean((2, 3))


def shufflenet(convention: Convention) -> nn.Module:
    """A ShuffleNet of four units, (1, 3, 32, 32) to ten logits."""
    return _with_weights(
        ShuffleNetV1(
            ShuffleNetConfig(
                scale=0.25,
                groups=3,
                stem_channels=12,
                stage_channels=(24, 48, 96),
                stage_repeats=(2, 1, 1),
                convention=convention,
                classes=10,
                classifier_bias=convention == "paper",
            )
        )
    )


def spellings() -> nn.Module:
    """`Spellings` with drawn weights."""
    return _with_weights(Spellings())


def _with_weights(module: nn.Module) -> nn.Module:
    random = np.random.default_rng(0)
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if tensor.ndim > 1:
                values = random.standard_normal(tensor.shape) * (2 / tensor[0].numel()) ** 0.5
            else:
                values = random.uniform(0.5, 1.5, tensor.shape)
            if not key.endswith("num_batches_tracked"):
                tensor.copy_(torch.from_numpy(values))
    return module.eval()


def _write(module: nn.Module, name: str, *, rounded: bool, kept: tuple[str, ...]) -> None:
    import pnnx

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # its script names its weights as it was told to name the file
        with contextlib.suppress(SyntaxError):  # its script of F.channel_shuffle is no Python
            pnnx.export(module, f"{name}.pt", torch.zeros(1, 3, SIDE, SIDE), fp16=rounded)
        for file in kept:
            shutil.copyfile(file, FOLDER / f"{file}.txt" if file == SCRIPT else FOLDER / file)
        os.chdir(FOLDER)


def _main() -> None:
    FOLDER.mkdir(exist_ok=True)
    script = (SCRIPT, "paper.pnnx.bin")
    _write(shufflenet("paper"), "paper", rounded=True, kept=("paper.pnnx.onnx", *script))
    _write(shufflenet("official"), "official", rounded=False, kept=("official.pnnx.onnx",))
    _write(spellings(), "spellings", rounded=False, kept=("spellings.pnnx.onnx",))


if __name__ == "__main__":
    _main()
