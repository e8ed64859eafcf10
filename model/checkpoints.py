"""Trained weights: which network a checkpoint is of, and that network with them.

Takes the official ShuffleNet V1 checkpoints and state dicts of this package's own modules; bare or
under `state_dict`, with or without the `module.` prefix of data-parallel training and the
`num_batches_tracked` counters. Code in a pickle is never run: tensors only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from model.errors import InputError
from model.variants import Convention
from model.zoo import MODEL_NAMES, build_module

COUNTER = "num_batches_tracked"
PREFIX = "module."
SHOWN_KEYS = 3
ORDINARY_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)
REFUSALS = ("GLOBAL ", "TorchScript archives")  # in what torch.load says of code in a file


class CheckpointError(InputError):
    """A file that is no checkpoint, or not of a network known here."""


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A network in eval mode with the weights of a file."""

    name: str
    module: nn.Module
    convention: Convention
    sha256: str


def load_checkpoint(
    path: Path,
    *,
    expected: str | None = None,
    convention: Convention | None = None,
    input_size: tuple[int, int] | None = None,
) -> LoadedCheckpoint:
    """Reads `path`, recognises the network from its tensors, and loads it strictly.

    The shuffle's place and direction do not show in tensors. A ShuffleNet without a classifier bias
    is taken for an official one, with a bias for the paper's; `convention` overrides that, and the
    bias stays as the file has it. Other networks shuffle nothing and count as the paper's. Raises
    `CheckpointError` where the file cannot be read, is of no network known here, or is of another
    network than `expected`.
    """
    tensors = _bare_tensors(_read(path), path)
    bias = "classifier.0.bias" in tensors
    name = _recognised_name(tensors, path, bias)
    if expected is not None and name != expected:
        raise CheckpointError(
            f"{path} holds {name}, expected {expected}: ask for {name}, or name another file"
        )
    convention = _convention_of(name, bias, convention)
    module = build_module(name, input_size=input_size, convention=convention, classifier_bias=bias)
    module.load_state_dict(_without_counters(tensors) | _counters_of(module), strict=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LoadedCheckpoint(name, module.eval(), convention, digest)


def _read(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
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


def _bare_tensors(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
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
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: tensor {key!r} holds NaN or infinity")
    return {key.removeprefix(PREFIX): value for key, value in content.items()}


def _is_ordinary(tensor: Tensor) -> bool:
    dense = tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta
    return dense and tensor.dtype in ORDINARY_DTYPES


def _convention_of(name: str, bias: bool, asked: Convention | None) -> Convention:
    if not name.startswith("shufflenet-"):
        return "paper"
    return asked or ("paper" if bias else "official")


def _recognised_name(tensors: Mapping[str, Tensor], path: Path, bias: bool) -> str:
    shapes = _shapes(_without_counters(tensors))
    nearest: tuple[int, str, dict[str, tuple[int, ...]]] | None = None
    for name in MODEL_NAMES:
        with torch.device("meta"):
            module = build_module(name, classifier_bias=bias)
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
        f"{path} holds {len(found)} tensors of no network known here; nearest is {nearest}: "
        f"{listed}. Known: {', '.join(MODEL_NAMES)}"
    )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}


def _without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if not key.endswith(COUNTER)}


def _counters_of(module: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in module.state_dict().items() if key.endswith(COUNTER)}
