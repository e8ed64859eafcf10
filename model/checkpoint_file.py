"""The tensors of a checkpoint, by name, without running anything that its file holds.

As `torch.save` writes them or as `.safetensors`; bare, or under the key of a training script
(`state_dict` in the official code, timm and Lightning, `model` in torchvision's), with or without a
wrapper's prefix (`module.` of data-parallel training). Code in a pickle is never run: tensors only.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model.errors import InputError

MOST_EXPANSION = 4  # of an archive: `torch.save` compresses nothing, TorchScript its few lines
WRAPPERS = ("state_dict", "model", "model_state_dict")  # where training scripts keep the tensors
PREFIXES = ("module.", "_orig_mod.", "model.")  # of data-parallel, compiled and Lightning modules
ORDINARY_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)
REFUSALS = ("GLOBAL ", "TorchScript archives")  # in what torch.load says of code in a file


class CheckpointError(InputError):
    """A file that is no checkpoint, or not of a network known here."""


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


def bare_tensors(content: object, path: Path) -> dict[str, Tensor]:
    """The tensors in `content`, which the file at `path` holds, without wrappers and prefixes.

    Raises `CheckpointError` for anything but dense, finite tensors that the file is large enough
    for.
    """
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


def _without_prefixes(key: str) -> str:
    while prefix := next((each for each in PREFIXES if key.startswith(each)), ""):
        key = key.removeprefix(prefix)
    return key


def _is_ordinary(tensor: Tensor) -> bool:
    dense = tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta
    return dense and tensor.dtype in ORDINARY_DTYPES
