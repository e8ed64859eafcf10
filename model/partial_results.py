"""Results of a long evaluation, kept picture by picture so that it can be taken up again.

A file of JSON lines: what was evaluated, then a prediction a line, written through to the disk. A
line that an interruption has torn is dropped, and that picture done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from model.cli import write_atomically
from model.errors import InputError
from model.predictions import Prediction, kept_prediction
from model.strict_json import JsonError, strict_json


class PartialResultsError(InputError):
    """Results on disk that are of another evaluation, or none."""


class PartialResults:
    """Those of one evaluation so far, by picture; `keep` adds one."""

    def __init__(self, done: dict[str, Prediction], file: TextIO | None) -> None:
        self.done = done
        self._file = file

    def keep(self, name: str, prediction: Prediction) -> None:
        """Adds the prediction of the picture `name`, on the disk before this returns."""
        self.done[name] = prediction
        if self._file is not None:
            self._file.write(_line({"picture": name, **asdict(prediction)}))
            self._file.flush()
            os.fsync(self._file.fileno())


def partial_of(report: Path, *parts: str) -> Path:
    """The file beside `report` for what an interrupted run has of it, or of those `parts` of it."""
    return report.with_name(".".join([report.name, *parts, "partial"]))


def evaluation_of(path: Path) -> dict[str, Any]:
    """The evaluation whose results are kept in `path`; empty where none is named there."""
    return next(iter(_whole_lines(path)), {})


@contextmanager
def partial_results(path: Path | None, of: dict[str, Any]) -> Iterator[PartialResults]:
    """Those kept in `path`, of the evaluation that `of` describes; without a path nothing is kept.

    The file stays, also when the block ends well: whoever writes the report of it all removes it.
    Raises `PartialResultsError` where it is of another evaluation.
    """
    if path is None:
        yield PartialResults({}, None)
        return
    of = json.loads(_line(of))  # tuples are lists on the disk
    done = _read(path, of)
    lines = [of, *({"picture": name, **asdict(kept)} for name, kept in done.items())]
    text = "".join(map(_line, lines))
    try:
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise PartialResultsError(
            f"cannot keep results in {path}: {error.strerror}; name a --json you can write beside"
        ) from error
    with file:
        yield PartialResults(done, file)


def _read(path: Path, of: dict[str, Any]) -> dict[str, Prediction]:
    if not path.exists():
        return {}
    lines = _whole_lines(path)
    if not lines:
        return {}
    kept, *rows = lines
    if kept != of:
        differs = sorted(key for key in {*kept, *of} if kept.get(key) != of.get(key))
        raise PartialResultsError(
            f"{path} holds results of another evaluation (of another {', '.join(differs)}): finish "
            "that one, or remove the file"
        )
    try:
        return {row.pop("picture"): kept_prediction(row) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise PartialResultsError(f"{path} is of another version ({error}): remove it") from error


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """All lines up to the first that is none."""
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            lines.append(strict_json(line))
        except JsonError:
            break
    return [line for line in lines if isinstance(line, dict)]


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content) + "\n"
