"""Trained weights: which network a checkpoint is of, and that network with them.

Takes the official ShuffleNet V1 checkpoints and state dicts of this package's own modules, as
`torch.save` writes them or as `.safetensors`; bare, or under the key of a training script
(`state_dict` in the official code, timm and Lightning, `model` in torchvision's), with or without a
wrapper's prefix (`module.` of data-parallel training) and the `num_batches_tracked` counters. Code
in a pickle is never run: tensors only. What other libraries call their layers is told from the keys
and refused: their networks differ in more than names (pytorchcv concatenates the branch first,
which no renaming undoes), and an ONNX export of them builds as it is. The number of classes is told
from the classifier; input size, preprocessing and shuffle from what the file says of itself.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from model.checkpoint_facts import facts_of
from model.errors import InputError
from model.variants import Convention
from model.zoo import MODEL_NAMES, build_module, default_input_size

MOST_EXPANSION = 4  # of an archive: `torch.save` compresses nothing, TorchScript its few lines
COUNTER = "num_batches_tracked"
WRAPPERS = ("state_dict", "model", "model_state_dict")  # where training scripts keep the tensors
PREFIXES = ("module.", "_orig_mod.", "model.")  # of data-parallel, compiled and Lightning modules
CLASSIFIERS = (  # the last layer of AlexNet, of a ShuffleNet, of MobileNet
    "classifier.4.weight",
    "classifier.0.weight",
    "classifier.weight",
)
CLASSES = 1000  # where there is no classifier to tell
SHOWN_KEYS = 10
ORDINARY_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)
FAMILIES = {  # what keys of other libraries begin with
    "features.init_block.": "pytorchcv",
    "conv_stem.": "timm",
    "stage2.0.branch": "torchvision's ShuffleNet V2",
    "layer1.0.": "torchvision's ResNet",
}
REFUSALS = ("GLOBAL ", "TorchScript archives")  # in what torch.load says of code in a file


class CheckpointError(InputError):
    """A file that is no checkpoint, or not of a network known here."""


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
    tensors = _bare_tensors(content, path)
    facts = facts_of(metadata, path)
    bias = "classifier.0.bias" in tensors
    classes = class_count(tensors)
    name = _recognised_name(tensors, path, bias, classes)
    if expected is not None and name != expected:
        raise CheckpointError(
            f"{path} holds {name}, expected {expected}: ask for {name}, or name another file"
        )
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
    module.load_state_dict(_without_counters(tensors) | _counters_of(module), strict=True)
    usual = "bgr255" if convention == "official" else "imagenet"
    return LoadedCheckpoint(
        name,
        module.eval(),
        convention,
        facts.preprocessing or usual,
        size,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def read_checkpoint_file(path: Path) -> tuple[object, object]:
    """What the file holds, and its metadata; raises `CheckpointError` without having run any."""
    try:
        if _is_safetensors(path):
            with safe_open(path, "pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
        _refuse_to_unpack(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        return content, content.get("metadata") if isinstance(content, Mapping) else None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except CheckpointError:
        raise
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is cut off, or no safetensors file ({error}): "
            "copy it again"
        ) from error
    except Exception as error:  # bytes that are no pickle raise whatever they happen to meet
        if any(sign in str(error) for sign in REFUSALS):
            raise CheckpointError(
                f"{path} was refused: it holds more than tensors, and nothing in it was run; save "
                "it again as a state dict, `torch.save(model.state_dict(), FILE)`"
            ) from error
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is cut off, or no checkpoint of tensors, and "
            "nothing in it was run: copy it again, or save it with "
            "`torch.save(model.state_dict(), FILE)`"
        ) from error


def _is_safetensors(path: Path) -> bool:
    """Eight bytes of length, then JSON: no pickle and no archive begins so."""
    with path.open("rb") as file:
        return path.suffix == ".safetensors" or file.read(9)[8:] == b"{"


def _refuse_to_unpack(path: Path) -> None:
    """`torch.save` stores without compression: what unpacks to more was made to fill memory."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MOST_EXPANSION * path.stat().st_size:
        raise CheckpointError(
            f"{path} has {path.stat().st_size:,} bytes and would unpack to {unpacked:,}; expected "
            "an archive as `torch.save` writes it, without compression"
        )


def _bare_tensors(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping):
        held = (content.get(key) for key in WRAPPERS)
        content = next((each for each in held if isinstance(each, Mapping)), content)
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(
            f"{path} holds {type(content).__name__}, expected a dict of tensors by name"
        )
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: entry {key!r} is {type(value).__name__}, expected a tensor by name"
            )
        if not _is_ordinary(value):
            raise CheckpointError(
                f"{path}: tensor {key!r} is {value.layout} {value.dtype} on {value.device}; "
                "expected a dense tensor of ordinary floats or integers"
            )
        if value.numel() * value.element_size() > MOST_EXPANSION * path.stat().st_size:
            raise CheckpointError(
                f"{path}: tensor {key!r} has {value.numel():,} values, more than the file of "
                f"{path.stat().st_size:,} bytes holds: save it again with every tensor written out"
            )
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: tensor {key!r} holds NaN or infinity")
    return {_without_prefixes(key): value for key, value in content.items()}


def _without_prefixes(key: str) -> str:
    while prefix := next((each for each in PREFIXES if key.startswith(each)), ""):
        key = key.removeprefix(prefix)
    return key


def _is_ordinary(tensor: Tensor) -> bool:
    dense = tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta
    return dense and tensor.dtype in ORDINARY_DTYPES


def _convention_of(name: str, bias: bool, asked: Convention | None) -> Convention:
    if not name.startswith("shufflenet-"):
        return "paper"
    return asked or ("paper" if bias else "official")


def class_count(tensors: Mapping[str, Tensor]) -> int:
    """How many classes the last layer of a state dict of any network known here has."""
    weights = next((tensors[key] for key in CLASSIFIERS if key in tensors), None)
    known = weights is not None and weights.ndim == 2 and weights.numel()
    return weights.shape[0] if known else CLASSES


def _recognised_name(tensors: Mapping[str, Tensor], path: Path, bias: bool, classes: int) -> str:
    shapes = _shapes(_without_counters(tensors))
    nearest: tuple[int, str, dict[str, tuple[int, ...]]] | None = None
    for name in MODEL_NAMES:
        with torch.device("meta"):
            module = build_module(name, classes=classes, classifier_bias=bias)
        wanted = _shapes(_without_counters(module.state_dict()))
        if wanted == shapes:
            return name
        distance = len(wanted.items() ^ shapes.items())
        if nearest is None or distance < nearest[0]:
            nearest = (distance, name, wanted)
    raise CheckpointError(_no_match(path, shapes, nearest[1], nearest[2]))


def _no_match(
    path: Path,
    found: Mapping[str, tuple[int, ...]],
    nearest: str,
    wanted: Mapping[str, tuple[int, ...]],
) -> str:
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
    listed = "; ".join(
        f"{len(keys)} {kind} (such as {', '.join(keys[:SHOWN_KEYS])})"
        for kind, keys in differences.items()
        if keys
    )
    return (
        f"{path} holds {len(found)} tensors of no network known here{_family(found)}; nearest is "
        f"{nearest}: {listed}. Known: {', '.join(MODEL_NAMES)}"
    )


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


def _without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if not key.endswith(COUNTER)}


def _counters_of(module: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in module.state_dict().items() if key.endswith(COUNTER)}
