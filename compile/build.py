"""python compile/build.py --target arm_cpu: a network to a verified shared library for a core."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compile.frontend.onnx_import import import_onnx
from compile.frontend.torch_import import import_torch
from compile.library import build_library
from compile.link import LINKERS, find_linker
from compile.lower import DEFAULT_LEVEL, LEVELS, Lowered, lower
from compile.network import Network
from compile.report import Latency, build_report, print_report
from compile.targets import CompileTarget, host_target, parse_target
from compile.verify import Verification, verify
from deploy_rpc.board_spec import BoardSpec, parse_board
from deploy_rpc.emulator import emulated_cores, missing_emulation_tools
from deploy_rpc.session import open_session
from deploy_rpc.timing import interleaved_times_ms
from model.checkpoints import load_checkpoint
from model.cli import (
    argument,
    existing_file,
    phase,
    positive_int,
    run_command,
    write_json,
)
from model.errors import InputError
from model.preprocess import PREPROCESSINGS
from model.zoo import DEFAULT_MODEL, create_model, default_input_size, model_name

BASELINE = "stock"
MIN_INPUT_SIDE = 32  # five halvings leave one pixel
MAX_INPUT_SIDE = 4096
BOARD_TIMEOUT_S = 300  # the largest input under emulation takes about a minute


class OutputFolderError(InputError):
    """An output folder that cannot be written to."""


def main(arguments: list[str] | None = None) -> None:
    """Builds, verifies, times, and writes `OUT/NAME.TARGET.so` and `.json`."""
    options = _parser().parse_args(arguments)
    _fill_defaults(options)
    _print_options(options)
    linker = find_linker(options.linker, options.target)
    with _staging_folder(options.out) as staging:
        with phase("import"):
            network = _import_network(options)
        levels = [options.level] if options.level == BASELINE else [BASELINE, options.level]
        with phase(f"lower {', '.join(levels)}"):
            lowered = [_lower(network, level, options) for level in levels]
        name = f"{network.name}.{options.target.name}"
        library = staging / f"{name}.so"
        with phase(f"compile for {options.target.triple}, link with {linker.name}"):
            build_library(lowered[-1], options.target, linker, library)
        verifications, latencies = _examine(lowered, library, staging, options)
        report = build_report(lowered[-1], verifications, latencies, library.stat().st_size)
        write_json(staging / f"{name}.json", report)
        print_report(lowered[-1], verifications, latencies, library.stat().st_size)
        for file in (f"{name}.json", f"{name}.so"):
            (staging / file).replace(options.out / file)
    if options.json:
        write_json(options.json, report)
    print(options.out / f"{name}.so")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build.py",
        description="Builds a network into a shared library for a core, and verifies it against "
        "the network it came from.",
        epilog="Without --weights and --onnx the weights are random, drawn from seed 0: good for "
        "timing and for trying things out.",
    )
    add = parser.add_argument
    add("--target", required=True, type=argument(parse_target), metavar="T",
        help="arm_cpu (a Cortex-A72), host, a core, a board, or a TVM target as JSON")  # fmt: skip
    source = parser.add_argument_group("what to build")
    source.add_argument("--model", type=argument(model_name), metavar="NAME",
        help=f"shufflenet-SCALEx-gGROUPS, mobilenet-WIDTH or alexnet (default: {DEFAULT_MODEL}, "
        "or what the weights are of)")  # fmt: skip
    weights = source.add_mutually_exclusive_group()
    weights.add_argument("--weights", type=existing_file, metavar="FILE", help="a checkpoint")
    weights.add_argument("--onnx", type=existing_file, metavar="FILE", help="an ONNX file instead")
    source.add_argument("--input-size", type=_input_size, metavar="N|HxW",
        help="rows and columns of the input (default: as published, 224)")  # fmt: skip
    source.add_argument("--convention", choices=("paper", "official"),
        help="where and in which direction channels are shuffled (default: by the weights, or "
        "paper)")  # fmt: skip
    source.add_argument("--preprocessing", choices=tuple(PREPROCESSINGS),
        help="how pictures become inputs (default: bgr255 for official checkpoints, or imagenet)")  # fmt: skip
    how = parser.add_argument_group("how to build it")
    how.add_argument("--level", choices=LEVELS, default=DEFAULT_LEVEL,
        help="rung of the ladder (default: %(default)s)")  # fmt: skip
    how.add_argument("--threads", type=positive_int, default=1, metavar="N",
        help="threads that one inference uses (default: 1)")  # fmt: skip
    how.add_argument("--linker", choices=LINKERS, default="auto",
        help="zig comes with the package; gnu and ndk must be installed (default: zig)")  # fmt: skip
    add("--board", type=argument(parse_board), metavar="BOARD",
        help="where to verify: local, emulated[:CORE], rpc://HOST:PORT, tracker://HOST:PORT/KEY "
        "(default: local for this machine's target, emulated for aarch64 where QEMU is "
        "installed)")  # fmt: skip
    add("--out", type=Path, default=Path("build"), metavar="DIR", help="default: %(default)s")
    add("--dump", type=Path, metavar="DIR", help="write the IR after each phase here")
    add("--json", type=Path, metavar="FILE", help="write the report here, too")
    return parser


def _input_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else None
    if size is None or min(size) < MIN_INPUT_SIDE or max(size) > MAX_INPUT_SIDE:
        raise argparse.ArgumentTypeError(
            f"expected N or HxW, each {MIN_INPUT_SIDE} to {MAX_INPUT_SIDE}, got {text!r}"
        )
    return size


def _fill_defaults(options: argparse.Namespace) -> None:
    if options.onnx and (options.model or options.convention):
        _parser().error("--model and --convention do not apply to --onnx: the file says it all")
    if options.board is None:
        options.board = _default_board(options.target)


def _default_board(target: CompileTarget) -> BoardSpec | None:
    if target.is_host:
        return parse_board("local")
    if target.core.isa != "aarch64" or missing_emulation_tools():
        return None
    core = target.core.name if target.core.name in emulated_cores() else None
    return parse_board(f"emulated:{core}" if core else "emulated")


def _print_options(options: argparse.Namespace) -> None:
    source = options.weights or options.onnx or "random weights (seed 0)"
    model = (
        "" if options.onnx else f"{options.model or DEFAULT_MODEL if not options.weights else ''} "
    )
    print(
        f"build {model}from {source} for {options.target.name} ({options.target.core.name}, "
        f"{options.target.triple}), level {options.level}, {options.threads} thread(s)"
    )
    if options.board is None:
        reason = (
            "; ".join(missing_emulation_tools()) or f"no emulator for {options.target.core.isa}"
        )
        print(f"no board: verifying the same lowered module built for this machine ({reason})")
    else:
        print(f"verifying on board {options.board}")


def _import_network(options: argparse.Namespace) -> Network:
    if options.onnx:
        return import_onnx(
            options.onnx,
            input_size=options.input_size,
            preprocessing=options.preprocessing or "imagenet",
        )
    if options.weights:
        return _import_checkpoint(options)
    name, convention = options.model or DEFAULT_MODEL, options.convention or "paper"
    size = options.input_size or default_input_size(name)
    return import_torch(
        create_model(name, input_size=size, convention=convention),
        name=name,
        input_shape=(1, 3, *size),
        preprocessing=options.preprocessing or "imagenet",
        provenance={"weights": "random, seed 0", "convention": convention},
    )


def _import_checkpoint(options: argparse.Namespace) -> Network:
    loaded = load_checkpoint(
        options.weights,
        expected=options.model,
        convention=options.convention,
        input_size=options.input_size,
    )
    by_convention = "bgr255" if loaded.convention == "official" else "imagenet"
    return import_torch(
        loaded.module,
        name=loaded.name,
        input_shape=(1, 3, *(options.input_size or default_input_size(loaded.name))),
        preprocessing=options.preprocessing or by_convention,
        provenance={
            "weights": options.weights.name,
            "sha256": loaded.sha256,
            "convention": loaded.convention,
        },
    )


def _lower(network: Network, level: str, options: argparse.Namespace) -> Lowered:
    if options.dump:
        options.dump.mkdir(parents=True, exist_ok=True)
    return lower(network, level, options.target, threads=options.threads, dump=options.dump)


@dataclass(frozen=True)
class _Examined:
    """Where a set of libraries is verified and timed, one library for each level."""

    board: BoardSpec
    where: str
    libraries: dict[str, Path]


def _examine(
    lowered: list[Lowered], library: Path, staging: Path, options: argparse.Namespace
) -> tuple[list[Verification], list[Latency]]:
    """Verifies the library on the board, and every level where times are taken.

    An emulated board has no times: the levels are then built for this machine, too.
    """
    shipped = lowered[-1]
    network = shipped.network
    with phase(f"reference output from {network.reference_name}"):
        expected = network.reference(network.example_input())
    verifications = []
    board = options.board
    if board is not None and board.kind == "emulated":
        where = f"board {board}"
        with phase(f"verify on {where}"), open_session(board, timeout_s=BOARD_TIMEOUT_S) as session:
            module = session.load(
                library, output_shape=network.output_shape, threads=options.threads
            )
            verifications.append(
                verify(module, network, expected, level=shipped.level, where=where)
            )
    timed = _timed_libraries(lowered, library, staging, options)
    with phase(f"verify and time on {timed.where}"):
        more, latencies = _verify_and_time(timed, network, expected, options.threads)
    return verifications + more, latencies


def _timed_libraries(
    lowered: list[Lowered], library: Path, staging: Path, options: argparse.Namespace
) -> _Examined:
    """The libraries of all levels for the board that has a clock: the user's, or this machine."""
    board = options.board
    if board is not None and board.kind != "emulated":
        target, linker, where = options.target, options.linker, f"board {board}"
        libraries = {lowered[-1].level: library}
    else:
        board, target, linker = parse_board("local"), host_target(), "auto"
        where = f"this machine (same lowered module, built for {host_target().core.llvm_cpu})"
        libraries = {}
    for rung in lowered:
        if rung.level not in libraries:
            libraries[rung.level] = staging / f"{rung.level}.timed.so"
            build_library(rung, target, find_linker(linker, target), libraries[rung.level])
    ordered = {rung.level: libraries[rung.level] for rung in lowered}
    return _Examined(board, where, ordered)


def _verify_and_time(
    timed: _Examined, network: Network, expected: object, threads: int
) -> tuple[list[Verification], list[Latency]]:
    with open_session(timed.board, timeout_s=BOARD_TIMEOUT_S) as session:
        modules = {
            level: session.load(path, output_shape=network.output_shape, threads=threads)
            for level, path in timed.libraries.items()
        }
        verifications = [
            verify(module, network, expected, level=level, where=timed.where)
            for level, module in modules.items()
        ]
        samples = interleaved_times_ms(modules, network.example_input())
        kind = session.kind_of_time
    latencies = [
        Latency(level, kind, "ms", timed.where, threads, times) for level, times in samples.items()
    ]
    return verifications, latencies


@contextlib.contextmanager
def _staging_folder(out: Path) -> Iterator[Path]:
    """A temporary folder inside `out`, which is removed again if it was made here for nothing."""
    existed = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".build-", dir=out))
    except OSError as error:
        raise OutputFolderError(
            f"cannot write to the output folder {out}: {os.strerror(error.errno)}; "
            "name one you can write to with --out DIR"
        ) from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not existed and not any(out.iterdir()):
            out.rmdir()


if __name__ == "__main__":
    run_command(main)
