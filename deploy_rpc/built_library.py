"""A built library and what its report, the JSON file beside it, says of it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from model.errors import InputError
from model.outputs import Output, SeveralOutputsError
from model.preprocess import PREPROCESSINGS, Preprocessing
from model.variants import Convention

C_NAME = re.compile(r"[a-z][a-z0-9_]*")  # as a build makes them
NOT_IN_TEXT = re.compile(r'["\\]|\*/')  # what ends a string or a comment of C or Python
LARGEST_TENSOR = 1 << 28  # values, as of an ONNX file


class ReportError(InputError):
    """A library without a readable build report beside it."""


@dataclass(frozen=True)
class BuiltLibrary:
    """What is needed to feed a library of pictures (N, C, H, W), and what comes out.

    `prefix` is what its C names begin with; None where it needs TVM's runtime. `fields` are what
    the header calls the outputs.
    """

    path: Path
    model: str
    convention: str | None
    target: str
    core: str
    triple: str
    prefix: str | None
    threads: int
    input_shape: tuple[int, int, int, int]
    outputs: tuple[Output, ...]
    fields: tuple[str, ...]
    preprocessing: Preprocessing

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """Of all outputs, in order."""
        return [output.shape for output in self.outputs]

    @property
    def classes(self) -> int:
        """How many scores it gives; raises `SeveralOutputsError` where it gives something else."""
        if len(self.outputs) > 1:
            raise SeveralOutputsError(
                f"{self.path} gives no classes but {len(self.outputs)} outputs "
                f"({', '.join(map(str, self.outputs))}): its header {self.path.stem}.h says how a "
                "program reads them"
            )
        return self.outputs[0].shape[-1]


def read_built_library(library: Path) -> BuiltLibrary:
    """Reads `library` with `.json` for its suffix; raises `ReportError`.

    What a package writes into programs is checked here: names are names of C, other texts hold
    nothing that could end a string or a comment.
    """
    path = library.with_suffix(".json")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        _require_same_library(library, report["library_sha256"], path)
        built = _from_report(library, report)
    except FileNotFoundError as error:
        if error.filename == str(library):
            raise ReportError(f"no library {library} beside its build report {path}") from error
        raise ReportError(
            f"no build report {path}; build.py writes it beside the library: keep the two together"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReportError(
            f"{path} is no build report of this version ({type(error).__name__}: {error}); "
            "build the library again"
        ) from error
    _require_pictures(built)
    return built


def is_plain(text: str) -> bool:
    """Whether `text` can stand in a string or a comment of a program, and ends neither."""
    return text.isprintable() and not NOT_IN_TEXT.search(text)


def _require_same_library(library: Path, digest: object, report: Path) -> None:
    """Raises where the report is of another build."""
    if digest != hashlib.sha256(library.read_bytes()).hexdigest():
        raise ReportError(
            f"{report} is the report of another library than {library}: one of the two was "
            "replaced; build it again, or copy both from one build"
        )


def _require_pictures(built: BuiltLibrary) -> None:
    """Raises where the input has other planes than a picture's three colours."""
    channels, colours = built.input_shape[1], len(built.preprocessing.mean)
    if channels != colours:
        raise ReportError(
            f"expected a library of pictures, of {colours} channels, {built.path} takes "
            f"{channels}; its header {built.path.stem}.h says how a program feeds it"
        )


def _from_report(library: Path, report: Mapping[str, Any]) -> BuiltLibrary:
    model, target = report["model"], report["target"]
    if not model["outputs"]:
        raise ValueError("no outputs")
    if len(model["input_shape"]) != 4:
        raise ValueError(f"input_shape has {len(model['input_shape'])} dimensions")
    convention = model.get("convention")
    if convention not in (None, *get_args(Convention)):
        raise ValueError(f"convention {convention!r}")
    return BuiltLibrary(
        path=library,
        model=_text(model["name"]),
        convention=convention,
        target=_text(target["name"]),
        core=_text(target["core"]),
        triple=_text(target["triple"]),
        prefix=None if report["interface"] is None else _c_name(report["interface"]),
        threads=_whole(report["threads"]),
        input_shape=_shape(model["input_shape"]),
        outputs=tuple(_output(row) for row in model["outputs"]),
        fields=tuple(_c_name(row["field"]) for row in model["outputs"]),
        preprocessing=PREPROCESSINGS[model["preprocessing"]],
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not is_plain(value):
        raise ValueError(f'expected a printable text without ", \\ and */, got {value!r}')
    return value


def _c_name(value: object) -> str:
    if not isinstance(value, str) or not C_NAME.fullmatch(value):
        raise ValueError(f"expected a name of C in lower case, got {value!r}")
    return value


def _whole(value: object) -> int:
    if type(value) is not int or value < 1:  # True is one, too
        raise ValueError(f"expected a whole number of at least 1, got {value!r}")
    return value


def _shape(extents: object) -> tuple[int, ...]:
    if not isinstance(extents, list) or not extents:
        raise TypeError(f"expected a list of extents, got {extents!r}")
    shape = tuple(map(_whole, extents))
    if math.prod(shape) > LARGEST_TENSOR:
        raise ValueError(f"a tensor of {shape}, expected at most {LARGEST_TENSOR:,} values")
    return shape


def _output(row: Mapping[str, Any]) -> Output:
    name, stride = row["name"], row["stride"]
    if not isinstance(name, str):
        raise TypeError(f"expected the name of an output, got {name!r}")
    return Output(name, _shape(row["shape"]), None if stride is None else _whole(stride))
