"""Trained weights: which network a checkpoint is of, and that network with them.

Takes the official ShuffleNet V1 checkpoints and state dicts of this package's own modules
(`checkpoint_file.py` how they may be wrapped), with or without the `num_batches_tracked` counters.
The network is told from the tensors (`recognised.py`); input size, preprocessing and shuffle from
what the file says of itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model.checkpoint_facts import facts_of
from model.checkpoint_file import CheckpointError, bare_tensors, read_checkpoint_file
from model.recognised import class_count, counters_of, recognised_name, without_counters
from model.variants import Convention
from model.zoo import build_module, default_input_size


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A network in eval mode with the weights of a file.

    `input_size` (H, W) is the one asked for, or that it was trained with; `preprocessing`, a name
    of `PREPROCESSINGS`, what its pictures went through.
    """

    name: str
    module: nn.Module
    convention: Convention
    preprocessing: str
    input_size: tuple[int, int]
    sha256: str

    @property
    def classes(self) -> int:
        """How many logits the network gives."""
        layers = [layer for layer in self.module.modules() if isinstance(layer, nn.Linear)]
        return layers[-1].out_features

    def run(self, x: np.ndarray) -> np.ndarray:
        """float32 (N, 3, H, W) to logits (N, classes), by PyTorch."""
        with torch.inference_mode():
            return self.module(torch.from_numpy(x)).numpy()


def load_checkpoint(
    path: Path,
    *,
    expected: str | None = None,
    convention: Convention | None = None,
    input_size: tuple[int, int] | None = None,
) -> LoadedCheckpoint:
    """Reads `path`, recognises the network from its tensors, and loads it strictly.

    The shuffle's place and direction do not show in tensors. Where the file does not say them, a
    ShuffleNet without a classifier bias is taken for an official one, with a bias for the paper's;
    `convention` overrides both, and the bias stays as the file has it. Other networks shuffle
    nothing and count as the paper's. Raises `CheckpointError` where the file cannot be read, is of
    no network known here, or is of another network than `expected`; `CheckpointFactsError` where
    it says something impossible of itself.
    """
    content, metadata = read_checkpoint_file(path)
    tensors = bare_tensors(content, path)
    facts = facts_of(metadata, path)
    bias = "classifier.0.bias" in tensors
    classes = class_count(tensors)
    name = _as_expected(recognised_name(tensors, path, bias, classes), expected, path)
    convention = _convention_of(name, bias, convention or facts.convention)
    size = input_size or facts.input_size or default_input_size(name)
    module = build_module(
        name,
        input_size=size,
        convention=convention,
        shuffle=facts.shuffle != "no",
        classes=classes,
        classifier_bias=bias,
    )
    module.load_state_dict(without_counters(tensors) | counters_of(module), strict=True)
    usual = "bgr255" if convention == "official" else "imagenet"
    return LoadedCheckpoint(
        name,
        module.eval(),
        convention,
        facts.preprocessing or usual,
        size,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _as_expected(name: str, expected: str | None, path: Path) -> str:
    if expected is not None and name != expected:
        raise CheckpointError(
            f"{path} holds {name}, expected {expected}: ask for {name}, or name another file"
        )
    return name


def _convention_of(name: str, bias: bool, asked: Convention | None) -> Convention:
    if not name.startswith("shufflenet-"):
        return "paper"
    return asked or ("paper" if bias else "official")
