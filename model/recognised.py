"""Which network known here a state dict is of: told from names and shapes of its tensors.

What other libraries call their layers is told from the keys and refused: their networks differ in
more than names (pytorchcv concatenates the branch first, which no renaming undoes), and an ONNX
export of them builds as it is. The number of classes is told from the classifier.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from model.checkpoint_file import CheckpointError
from model.zoo import MODEL_NAMES, build_module

COUNTER = "num_batches_tracked"
CLASSIFIERS = (  # the last layer of AlexNet, of a ShuffleNet, of MobileNet
    "classifier.4.weight",
    "classifier.0.weight",
    "classifier.weight",
)
CLASSES = 1000  # where there is no classifier to tell
ALL_SHOWN = 40  # keys that differ from those of the nearest network: so many are all listed
SHOWN_KEYS = 10  # of each kind where more differ
Shapes = Mapping[str, tuple[int, ...]]
FAMILIES = {  # what keys of other libraries begin with
    "features.init_block.": "pytorchcv",
    "conv_stem.": "timm",
    "stage2.0.branch": "torchvision's ShuffleNet V2",
    "layer1.0.": "torchvision's or timm's ResNet",
    "features.1.conv.0.": "torchvision's MobileNet V2",
    "classifier.6.": "torchvision's AlexNet or VGG",
}


def class_count(tensors: Mapping[str, Tensor]) -> int:
    """How many classes the last layer of a state dict of any network known here has."""
    weights = next((tensors[key] for key in CLASSIFIERS if key in tensors), None)
    known = weights is not None and weights.ndim == 2 and weights.numel()
    return weights.shape[0] if known else CLASSES


def recognised_name(tensors: Mapping[str, Tensor], path: Path, bias: bool, classes: int) -> str:
    """The network whose state dict `tensors` of the file `path` are, but for counters.

    Raises `CheckpointError` with the nearest one where there is none.
    """
    shapes = _shapes(without_counters(tensors))
    nearest: tuple[tuple[int, int], str, Shapes] | None = None
    for name in MODEL_NAMES:
        with torch.device("meta"):
            module = build_module(name, classes=classes, classifier_bias=bias)
        wanted = _shapes(without_counters(module.state_dict()))
        if wanted == shapes:
            return name
        distance = _distance(wanted, shapes)
        if nearest is None or distance < nearest[0]:
            nearest = (distance, name, wanted)
    raise CheckpointError(_no_match(path, shapes, nearest[1], nearest[2]))


def without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` but those in which batch norms count their batches, which some files lack."""
    return {key: tensor for key, tensor in tensors.items() if not key.endswith(COUNTER)}


def counters_of(module: nn.Module) -> dict[str, Tensor]:
    """Those that `without_counters` leaves out."""
    return {key: value for key, value in module.state_dict().items() if key.endswith(COUNTER)}


def _distance(wanted: Shapes, found: Shapes) -> tuple[int, int]:
    """How many shapes differ, whatever the tensors are called; then how many with their names."""
    shapes, others = Counter(wanted.values()), Counter(found.values())
    differing = (shapes - others).total() + (others - shapes).total()
    return differing, len(wanted.items() ^ found.items())


def _no_match(path: Path, found: Shapes, nearest: str, wanted: Shapes) -> str:
    reshaped = [
        f"{key} {found[key]} instead of {wanted[key]}"
        for key in wanted
        if key in found and found[key] != wanted[key]
    ]
    differences = {
        "missing": [key for key in wanted if key not in found],
        "unexpected": [key for key in found if key not in wanted],
        "of another shape": reshaped,
    }
    is_near = sum(map(len, differences.values())) <= ALL_SHOWN
    listed = "; ".join(
        f"{len(keys)} {kind} ({_listed(keys, len(keys) if is_near else SHOWN_KEYS)})"
        for kind, keys in differences.items()
        if keys
    )
    return (
        f"{path} holds {len(found)} tensors of no network known here{_family(found)}; nearest is "
        f"{nearest}: {listed}. Known: {', '.join(MODEL_NAMES)}"
    )


def _listed(keys: Sequence[str], shown: int) -> str:
    hidden = len(keys) - shown
    return ", ".join(keys[:shown]) + (f" and {hidden} more" if hidden > 0 else "")


def _family(keys: Mapping[str, object]) -> str:
    for beginning, library in FAMILIES.items():
        if any(key.startswith(beginning) for key in keys):
            return (
                f" (the keys are those of {library}: export that network to ONNX, and build it "
                "with --onnx)"
            )
    return ""


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}
