"""python deploy_rpc/package.py MODULE.so --out FILE.tar.gz: all that a board needs, in one file.

The library, its header and report, examples in C and Python that classify a picture, or show what
each output of a backbone is, the preprocessing as numbers, class names, a README with the one line
that builds the example, and the licence. The same library makes the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from deploy_rpc.archive import write_archive
from deploy_rpc.built_library import BuiltLibrary, is_plain, read_built_library
from deploy_rpc.package_examples import example_files
from model.cli import existing_file, new_file, run_command
from model.errors import InputError
from model.labels import read_class_names
from model.preprocess import CROP_SIDE, RESIZE_SIDE

LICENCE = Path(__file__).parent.parent / "LICENSE"


class PackageError(InputError):
    """A library that cannot be packaged."""


def main(arguments: list[str] | None = None) -> None:
    """Writes the package, whole or not at all, and prints what is in it."""
    options = _parser().parse_args(arguments)
    library = read_built_library(options.library)
    names = None
    if options.labels:
        names = read_class_names(options.labels, library.classes)
    files = package_files(library, names)
    folder = options.library.name.removesuffix(".so")
    out = options.out or Path(f"{folder}.tar.gz")
    programs = [name for name in files if name.endswith((".so", ".py"))]
    write_archive(out, folder, files, programs)


def package_files(library: BuiltLibrary, names: list[str] | None) -> dict[str, bytes]:
    """The files of the package of `library` by name; `names` are its classes', if known.

    Raises `PackageError` for a library that has no C interface, whose header is missing, or whose
    own name cannot stand in a program.
    """
    if library.prefix is None:
        raise PackageError(
            f"{library.path} needs TVM's runtime (level stock); build it at level fused to package "
            "it"
        )
    stem = library.path.name.removesuffix(".so")
    if not is_plain(stem):
        raise PackageError(
            f"{stem!r} cannot stand in a program: rename the library, its header and its report, "
            'without ", \\ and control characters'
        )
    header = library.path.with_suffix(".h")
    if not header.is_file():
        raise PackageError(f"no header {header}; build.py writes it beside the library: keep both")
    files = {
        path.name: path.read_bytes()
        for path in (library.path, library.path.with_suffix(".a"), header)
        if path.is_file()
    }
    files[f"{stem}.json"] = library.path.with_suffix(".json").read_bytes()
    files |= example_files(library, stem)
    files["preprocessing.json"] = _preprocessing(library)
    if names is not None:
        files["labels.txt"] = "".join(f"{name}\n" for name in names).encode()
    files["LICENSE"] = LICENCE.read_bytes()
    return files


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="package.py", description="Packs a built library with all that a board needs."
    )
    add = parser.add_argument
    add("library", type=existing_file, metavar="MODULE.so",
        help="its report MODULE.json and its header MODULE.h beside it")  # fmt: skip
    add("--out", type=new_file, metavar="FILE.tar.gz",
        help="default: MODULE.tar.gz, in this folder")  # fmt: skip
    add("--labels", type=existing_file, metavar="FILE", help="class names to pack, one a line")
    return parser


def _preprocessing(library: BuiltLibrary) -> bytes:
    constants = {
        "input_shape": library.input_shape,
        "layout": "NCHW",
        "dtype": "float32",
        "resize": RESIZE_SIDE,
        "crop": CROP_SIDE,
        "interpolation": "bilinear, half-pixel centres, no antialiasing",
        **dataclasses.asdict(library.preprocessing),
    }
    return (json.dumps(constants, indent=2) + "\n").encode()


if __name__ == "__main__":
    run_command(main)
