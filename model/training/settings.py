"""All that the trajectory of a training run depends on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from model.variants import Convention

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Settings:
    """The paper's recipe for ImageNet unless said otherwise (section 4; the official train.py).

    `input_size` is (H, W), `batch_size` that of all processes together. Pictures are cropped to
    `least_crop` of their area or more, brightness, contrast and saturation change by up to
    `jitter`. `ema` is the decay of averaged weights, 0 for none. `bn_batches` re-estimate the batch
    norms at the end. `data` tells training pictures apart: a digest of their names and classes.
    """

    model: str
    classes: int
    input_size: tuple[int, int]
    data: str
    convention: Convention = "paper"
    shuffle: bool = True
    preprocessing: str = "imagenet"
    epochs: int = 240  # 300,000 steps of 1024 pictures
    batch_size: int = 1024
    lr: float = 0.5
    momentum: float = 0.9
    weight_decay: float = 4e-5
    label_smoothing: float = 0.1
    least_crop: float = 0.08
    jitter: float = 0.4
    flip: bool = True
    ema: float = 0.0
    bn_batches: int = 200
    seed: int = 0
    precision: Precision = "float32"
    processes: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The same in types that JSON and a checkpoint can hold."""
        return {**asdict(self), "input_size": list(self.input_size)}
