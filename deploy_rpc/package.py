"""python deploy_rpc/package.py MODULE.so --out FILE.tar.gz: all that a board needs, in one file.

The library, its header and report, examples in C and Python that classify a picture, the
preprocessing as numbers, class names, a README with the one line that builds the example, and the
licence. The same library makes the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from string import Template

from deploy_rpc.archive import write_archive
from deploy_rpc.built_library import BuiltLibrary, read_built_library
from model.cli import existing_file, run_command
from model.errors import InputError
from model.labels import read_class_names
from model.preprocess import CROP_SIDE, RESIZE_SIDE

TEMPLATES = Path(__file__).parent / "package"
LICENCE = Path(__file__).parent.parent / "LICENSE"
EXAMPLES = ("classify.c", "classify.py", "README.md")


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

    Raises `PackageError` for a library that has no C interface, or whose header is missing.
    """
    if library.prefix is None:
        raise PackageError(
            f"{library.path} needs TVM's runtime (level stock); build it at level fused to package "
            "it"
        )
    stem = library.path.name.removesuffix(".so")
    header = library.path.with_suffix(".h")
    if not header.is_file():
        raise PackageError(f"no header {header}; build.py writes it beside the library: keep both")
    files = {
        path.name: path.read_bytes()
        for path in (library.path, library.path.with_suffix(".a"), header)
        if path.is_file()
    }
    files[f"{stem}.json"] = library.path.with_suffix(".json").read_bytes()
    values = _values(library, stem)
    for name in EXAMPLES:
        template = Template((TEMPLATES / f"{name}.in").read_text(encoding="utf-8"))
        files[name] = template.substitute(values).encode()
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
    add("--out", type=Path, metavar="FILE.tar.gz", help="default: MODULE.tar.gz, in this folder")
    add("--labels", type=existing_file, metavar="FILE", help="class names to pack, one a line")
    return parser


def _values(library: BuiltLibrary, stem: str) -> dict[str, object]:
    """What stands in the templates."""
    _, _, height, width = library.input_shape
    preprocessing = library.preprocessing
    return {
        "model": library.model,
        "core": library.core,
        "triple": library.triple,
        "threads": library.threads,
        "version": version("shufflenet-compiled"),
        "prefix": library.prefix,
        "PREFIX": library.prefix.upper(),
        "stem": stem,
        "file": f"{stem}.so",
        "header": f"{stem}.h",
        "cc_line": f"cc -std=c11 -O2 classify.c {stem}.so -lm -Wl,-rpath,'$ORIGIN' -o classify",
        "height": height,
        "width": width,
        "output_values": library.classes,
        "channel_order": preprocessing.channel_order,
        "max_value": preprocessing.max_value,
        "mean": ", ".join(map(str, preprocessing.mean)),
        "std": ", ".join(map(str, preprocessing.std)),
        "resize": RESIZE_SIDE,
        "crop": CROP_SIDE,
    }


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
