"""What a checkpoint says of itself beside its tensors: input size, preprocessing, shuffle.

`model/train.py` writes them as text, into the header of a `.safetensors` file or under `metadata`
of a `.pth`. Other checkpoints say nothing, or other things, which are passed over.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from model.cli import input_size
from model.errors import InputError
from model.preprocess import PREPROCESSINGS
from model.variants import Convention

SHUFFLES = ("yes", "no")  # the paper's ablation leaves them out, which tensors do not show


class CheckpointFactsError(InputError):
    """A checkpoint that says something impossible of itself."""


@dataclass(frozen=True)
class CheckpointFacts:
    """(H, W) of the input, a name of `PREPROCESSINGS`, how and whether channels are shuffled.

    None: the file does not say.
    """

    input_size: tuple[int, int] | None = None
    preprocessing: str | None = None
    convention: Convention | None = None
    shuffle: str | None = None

    def as_metadata(self) -> dict[str, str]:
        """The same as text, for a file."""
        size = "x".join(map(str, self.input_size)) if self.input_size else None
        said = {**asdict(self), "input_size": size}
        return {key: text for key, text in said.items() if text is not None}


def facts_of(metadata: object, path: Path) -> CheckpointFacts:
    """What the metadata of the file `path` says; raises `CheckpointFactsError`."""
    if not isinstance(metadata, Mapping):
        return CheckpointFacts()
    return CheckpointFacts(
        _size(metadata.get("input_size"), path),
        _one_of(PREPROCESSINGS, "preprocessing", metadata, path),
        _one_of(get_args(Convention), "convention", metadata, path),
        _one_of(SHUFFLES, "shuffle", metadata, path),
    )


def _size(text: object, path: Path) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        return input_size(str(text))
    except argparse.ArgumentTypeError as error:
        raise CheckpointFactsError(f"{path}: its input_size: {error}; {_ADVICE}") from error


def _one_of(
    known: Iterable[str], key: str, metadata: Mapping[str, object], path: Path
) -> str | None:
    value = metadata.get(key)
    if value is None or value in tuple(known):
        return value
    raise CheckpointFactsError(
        f"{path}: its {key} is {value!r}, expected one of {', '.join(known)}; {_ADVICE}"
    )


_ADVICE = "it may be of a newer version, or damaged: copy it again"
