"""A built library and what its report, the JSON file beside it, says of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.outputs import Output, SeveralOutputsError
from model.preprocess import PREPROCESSINGS, Preprocessing


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
    """Reads `library` with `.json` for its suffix; raises `ReportError`."""
    path = library.with_suffix(".json")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        model = report["model"]
        _require_same_library(library, report.get("library_sha256"), path)
        input_shape = tuple(int(extent) for extent in model["input_shape"])
        if len(input_shape) != 4:
            raise ValueError(f"input_shape has {len(input_shape)} dimensions")
        return BuiltLibrary(
            path=library,
            model=str(model["name"]),
            convention=model.get("convention"),
            target=str(report["target"]["name"]),
            core=str(report["target"]["core"]),
            triple=str(report["target"]["triple"]),
            prefix=report.get("interface"),
            threads=int(report["threads"]),
            input_shape=input_shape,
            outputs=tuple(_output(row) for row in model["outputs"]),
            fields=tuple(str(row["field"]) for row in model["outputs"]),
            preprocessing=PREPROCESSINGS[model["preprocessing"]],
        )
    except FileNotFoundError as error:
        raise ReportError(
            f"no build report {path}; build.py writes it beside the library: keep the two together"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReportError(
            f"{path} is no build report of this version ({type(error).__name__}: {error}); "
            "build the library again"
        ) from error


def _require_same_library(library: Path, digest: str | None, report: Path) -> None:
    """Raises where the report is of another build; one of before has no digest."""
    if digest is not None and digest != hashlib.sha256(library.read_bytes()).hexdigest():
        raise ReportError(
            f"{report} is the report of another library than {library}: one of the two was "
            "replaced; build it again, or copy both from one build"
        )


def _output(row: dict[str, Any]) -> Output:
    shape = tuple(int(extent) for extent in row["shape"])
    return Output(str(row["name"]), shape, row["stride"])
