"""What every command line shares: exit codes, errors without tracebacks, phases with their time."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from model.errors import InputError
from model.temporary import own_temporary_files

MIN_INPUT_SIDE = 32  # five halvings leave one pixel
MAX_INPUT_SIDE = 4096

EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130

T = TypeVar("T")


def run_command(main: Callable[[], None]) -> None:
    """Runs `main` as a program: exits 0, or 1 with the message of an `InputError`.

    A reader of the output that goes away ends it, quietly, with 1. Usage errors leave through
    argparse, which exits 2. Temporary files are gone afterwards, and those of an earlier program
    that was killed.
    """
    try:
        with own_temporary_files():
            main()
            sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        sys.exit(EXIT_FAILURE)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_FAILURE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Makes `parse` a `type=` of argparse: its `InputError` becomes a usage error (exit 2)."""

    def checked(text: str) -> T:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def existing_file(text: str) -> Path:
    """A path to a readable file, for `type=`."""
    path = Path(text)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise argparse.ArgumentTypeError(f"expected a file, found {what} at {path}")
    return path


def new_file(text: str) -> Path:
    """A path in a folder that exists, for `type=`: better known before the work than after it."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file, {text} is a folder")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}; make it first")
    return path


def existing_folder(text: str) -> Path:
    """A path to a folder, for `type=`."""
    path = Path(text)
    if not path.is_dir():
        what = "a file" if path.exists() else "nothing"
        raise argparse.ArgumentTypeError(f"expected a folder, found {what} at {path}")
    return path


def input_size(text: str) -> tuple[int, int]:
    """(H, W) of an input, for `type=`: `224` or `480x640`."""
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else None
    if size is None or min(size) < MIN_INPUT_SIDE or max(size) > MAX_INPUT_SIDE:
        raise argparse.ArgumentTypeError(
            f"expected N or HxW, each {MIN_INPUT_SIDE} to {MAX_INPUT_SIDE}, got {text!r}"
        )
    return size


def positive_int(text: str) -> int:
    """A whole number of at least one, for `type=`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def whole_number(text: str) -> int:
    """A whole number of at least zero, for `type=`."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def not_negative(text: str) -> float:
    """A finite number of at least zero, for `type=`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return number


@contextlib.contextmanager
def phase(name: str) -> Iterator[None]:
    """Prints `name` and, when the block ends well, the seconds it took."""
    print(f"{name} ... ", end="", flush=True)
    start = time.perf_counter()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.perf_counter() - start:.1f} s", flush=True)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Calls `write` with a temporary path beside `path`, then renames it; errors leave nothing."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Writes `report` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path`, whole or not at all. Raises `InputError` where it cannot."""
    try:
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; name a folder you can write to"
        ) from error
