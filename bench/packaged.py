"""A network's package as `package.py` makes it, in a folder, and C programs built against it."""

from __future__ import annotations

from pathlib import Path

from compile.library import Library, build_library
from compile.link import ZIG_TARGETS, find_linker
from compile.lower import Lowered
from compile.report import build_report
from compile.targets import CompileTarget
from deploy_rpc.built_library import read_built_library
from deploy_rpc.compiled_once import zig
from deploy_rpc.package import package_files
from model.cli import write_json


def packaged_library(
    lowered: Lowered, target: CompileTarget, folder: Path, *, static: bool = False
) -> Library:
    """The library of `lowered` in `folder`, which is made, with all files of its package."""
    folder.mkdir()
    path = folder / f"{lowered.network.name}.so"
    library = build_library(lowered, target, find_linker("auto", target), path, static=static)
    write_json(path.with_suffix(".json"), build_report(lowered, [], [], library, {}))
    for name, content in package_files(read_built_library(path), None).items():
        (folder / name).write_bytes(content)
    return library


def build_program(
    source: Path, library: Library, target: CompileTarget, defines: tuple[str, ...] = ()
) -> Path:
    """`source` built beside `library`, against its header; static where there is an archive."""
    folder, program = library.path.parent, library.path.parent / source.stem
    shared = (str(library.path), f"-Wl,-rpath,{folder}")
    linked = ("-static", str(library.archive)) if library.archive else shared
    zig(
        ["-target", ZIG_TARGETS[target.core.isa, target.abi], "-std=c11", f"-I{folder}", *defines,
         str(source), *linked, "-lm", "-o", str(program)]
    )  # fmt: skip
    return program
