"""python deploy_rpc/run.py MODULE.so --board BOARD --image FILE...: pictures in, classes out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy_rpc.board_spec import BoardError, BoardSpec, parse_board
from deploy_rpc.built_library import BuiltLibrary, read_built_library
from deploy_rpc.cycles import CycleReport
from deploy_rpc.emulated_board import board_for, emulated_core
from deploy_rpc.network_cycles import NetworkFile, check_library, check_threads, network_cycles
from deploy_rpc.predictions import classify, summarise
from deploy_rpc.session import LoadedModule, open_session
from model.checkpoints import load_checkpoint
from model.cli import (
    EXIT_FAILURE,
    argument,
    existing_file,
    new_file,
    positive_int,
    run_command,
    write_json,
)
from model.console import table_console
from model.labelled_pictures import PICTURE_SUFFIXES
from model.labels import read_class_names, read_true_classes
from model.predictions import Prediction, Run
from model.preprocess import ImageError, load_image

SHOWN_INSTRUCTIONS = 3
TABLES_UP_TO = 3  # pictures; more get a line each


def main(arguments: list[str] | None = None) -> None:
    """Classifies every picture on the board; exits 1 where PyTorch disagrees with the board."""
    options = _parser().parse_args(arguments)
    library = read_built_library(options.library)
    board = board_for(options.board, library.core)
    _check_board(board, library, options.repeat)
    images = _pictures(options.image)
    classes = library.classes
    names = read_class_names(options.labels, classes) if options.labels else None
    truth = read_true_classes(options.truth, classes) if options.truth else {}
    reference = _reference(options.reference, library) if options.reference else None
    with open_session(board, timeout_s=options.timeout) as session:
        module = session.load(
            library.path, output_shapes=library.output_shapes, threads=library.threads
        )
        predictions = []
        for image in _progress(images):
            prediction = classify(module, library, image, names, truth, reference)
            predictions.append(prediction)
            _print_prediction(prediction, as_table=len(images) <= TABLES_UP_TO)
        samples = _times(module, library, images[0], options.repeat)
    cycles = None
    if board.kind == "modelled":
        x = load_image(images[0], library.preprocessing, library.input_shape[2:])
        cycles, _ = network_cycles(_network_file(library), x, emulated_core(board))
    report = summarise(library, str(board), predictions, samples, cycles)
    _print_summary(report)
    if cycles:
        _print_cycles(cycles)
    if options.json:
        write_json(options.json, report)
    if report["agreement"] and report["agreement"]["agree"] < report["agreement"]["pictures"]:
        sys.exit(EXIT_FAILURE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py", description="Classifies pictures with a built library, on a board."
    )
    add = parser.add_argument
    add("library", type=existing_file, metavar="MODULE.so", help="its report MODULE.json beside it")
    add("--board", type=argument(parse_board), default="local", metavar="BOARD",
        help="local, emulated[:CORE], modelled[:CORE] (answers, and modelled cycles; CORE is the "
        "library's), rpc://HOST:PORT or tracker://HOST:PORT/KEY (default: local)")  # fmt: skip
    add("--image", type=Path, nargs="+", required=True, metavar="FILE",
        help="pictures, or folders of them")  # fmt: skip
    add("--labels", type=existing_file, metavar="FILE", help="class names, one a line")
    add("--truth", type=existing_file, metavar="CSV",
        help="columns file,label: print the accuracy")  # fmt: skip
    add("--reference", type=existing_file, metavar="FILE",
        help="the checkpoint the library was built from: compare with PyTorch on every picture, "
        "exit 1 if a top-1 class differs")  # fmt: skip
    add("--repeat", type=positive_int, metavar="N", help="time N runs on the first picture")
    add("--timeout", type=positive_int, default=60, metavar="S",
        help="longest wait for an answer of the board, in seconds (default: 60)")  # fmt: skip
    add("--json", type=new_file, metavar="FILE", help="write all results here")
    return parser


def _check_board(board: BoardSpec, library: BuiltLibrary, repeat: int | None) -> None:
    """Raises `BoardError` for what `board` has not, before anything is run."""
    if repeat and board.kind_of_time != "measured":
        raise BoardError(
            f"--repeat: times on {board} would be the emulator's, not an ARM core's; leave it "
            "away, or name a real board with --board rpc://HOST:PORT"
        )
    if board.kind == "modelled":
        check_library(_network_file(library))
        check_threads(_network_file(library))


def _pictures(paths: Sequence[Path]) -> list[Path]:
    pictures: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = [p for p in sorted(path.iterdir()) if p.suffix.lower() in PICTURE_SUFFIXES]
            if not found:
                raise ImageError(f"no picture in the folder {path} ({', '.join(PICTURE_SUFFIXES)})")
            pictures += found
        elif path.is_file():
            pictures.append(path)
        else:
            raise ImageError(f"no file or folder at {path}")
    return pictures


def _reference(weights: Path, library: BuiltLibrary) -> Run:
    return load_checkpoint(
        weights,
        expected=library.model,
        convention=library.convention,
        input_size=library.input_shape[2:],
    ).run


def _network_file(library: BuiltLibrary) -> NetworkFile:
    return NetworkFile(library.path, library.prefix, library.output_shapes, library.threads)


def _progress(images: Sequence[Path]) -> Iterator[Path]:
    if len(images) <= TABLES_UP_TO or not sys.stderr.isatty():
        yield from images
    else:
        yield from track(images, description="pictures", console=Console(stderr=True))


def _times(
    module: LoadedModule, library: BuiltLibrary, image: Path, repeat: int | None
) -> list[float] | None:
    if not repeat:
        return None
    x = load_image(image, library.preprocessing, library.input_shape[2:])
    return module.time_ms(x, repeats=repeat)


def _print_prediction(prediction: Prediction, *, as_table: bool) -> None:
    if not as_table:
        differs = prediction.reference_class not in (None, prediction.classes[0])
        note = f"  PyTorch says {prediction.reference_class}" if differs else ""
        print(
            f"{prediction.image}: {prediction.names[0]} ({prediction.classes[0]}) "
            f"{prediction.probabilities[0]:.3f}{note}"
        )
        return
    print(prediction.image)
    table = Table("rank", "class", "name")
    table.add_column("probability", justify="right")
    rows = zip(prediction.classes, prediction.names, prediction.probabilities, strict=True)
    for rank, (index, name, probability) in enumerate(rows, start=1):
        table.add_row(str(rank), str(index), name, f"{probability:.4f}")
    table_console().print(table)


def _print_summary(report: dict[str, Any]) -> None:
    if report["accuracy"]:
        row = report["accuracy"]
        print(
            f"accuracy on {row['pictures']} pictures: top-1 {row['top1']:.1%}, "
            f"top-5 {row['top5']:.1%}"
        )
    if report["agreement"]:
        row = report["agreement"]
        print(
            f"top-1 class equals PyTorch's on {row['agree']} of {row['pictures']} pictures, "
            f"largest logit difference {row['max_abs_error']:.2e}"
        )
    if report["latency"]:
        row = report["latency"]
        samples = row["samples"]
        print(
            f"measured on {report['board']}: median {row['median']:.2f} ms of {len(samples)} runs, "
            f"{min(samples):.2f} to {max(samples):.2f} ms, {row['threads']} thread(s)"
        )


def _print_cycles(report: CycleReport) -> None:
    print(
        f"{report.cycles / 1e6:.2f} M modelled cycles, {report.core} (LLVM's model of "
        f"{report.llvm_model}), one thread, one inference of the first picture\n"
        f"{report.instructions / 1e6:.2f} M instructions, {report.loads / 1e6:.2f} M loads, "
        f"{report.stores / 1e6:.2f} M stores; simulated misses: L1 {report.l1_misses / 1e6:.2f} M, "
        f"L2 {report.l2_misses / 1e6:.2f} M; cache misses cost nothing in the model"
    )
    for doubt in report.doubts:
        print(f"a doubt of LLVM's model of {report.llvm_model}: {doubt}")
    table = Table("hottest blocks, their last instructions", title_justify="left")
    for column in ("runs", "M cycles", "of all"):
        table.add_column(column, justify="right")
    for block in report.hottest:
        table.add_row(
            "\n".join(block.disassembly[-SHOWN_INSTRUCTIONS:]),
            f"{block.executions:,}",
            f"{block.cycles / 1e6:.2f}",
            f"{block.cycles / report.cycles:.1%}",
        )
    table_console().print(table)


if __name__ == "__main__":
    run_command(main)
