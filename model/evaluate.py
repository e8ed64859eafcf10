"""python model/evaluate.py --weights FILE --data DIR: accuracy over labelled pictures.

PyTorch and ONNX Runtime run right here. A compiled module runs on a board, and boards belong to
deploy_rpc, which this folder may not import: with --module the same command line is handed to
`deploy_rpc/evaluate_module.py`, a program that brings the board along and calls `evaluate_with`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from model.checkpoints import LoadedCheckpoint, load_checkpoint
from model.cli import (
    EXIT_FAILURE,
    argument,
    existing_file,
    input_size,
    new_file,
    run_command,
    write_json,
)
from model.digits.pictures import DIGITS, HELD_OUT, data_folder, digits_folder
from model.evaluation import Evaluated, evaluate, print_evaluation
from model.labelled_pictures import labelled_pictures
from model.labels import read_class_names
from model.onnx_engine import onnx_engine
from model.onnx_network import OnnxNetwork, load_onnx_network
from model.partial_results import partial_of
from model.predictions import Run
from model.preprocess import PREPROCESSINGS, Preprocessing, preprocessing_name
from model.zoo import model_name

ENGINES = ("pytorch", "onnxruntime", "module")
MODULE_PROGRAM = Path(__file__).resolve().parent.parent / "deploy_rpc" / "evaluate_module.py"


def main(arguments: list[str] | None = None) -> None:
    """Evaluates; exits 1 where the engine's best class is not the reference's on some picture."""
    options = parse_options(arguments)
    if options.engine == "module":
        words = sys.argv[1:] if arguments is None else arguments
        done = subprocess.run([sys.executable, str(MODULE_PROGRAM), *words], check=False)
        sys.exit(done.returncode)
    loaded, size, run, reference = _engine(options)
    preprocessing = PREPROCESSINGS[options.preprocessing or loaded.preprocessing]
    what = described(options, loaded, preprocessing, size)
    evaluate_with(options, Evaluated(run, reference, preprocessing, size, what), loaded.classes)


def evaluate_with(options: argparse.Namespace, evaluated: Evaluated, classes: int) -> None:
    """Evaluates over the pictures that `options` name, prints and writes the report."""
    torch.set_num_threads(1)  # one picture at a time is too little for more, on a busy machine
    folder = digits_folder() / HELD_OUT if options.data == DIGITS else options.data
    pictures = labelled_pictures(folder, classes)
    names = read_class_names(options.labels, classes) if options.labels else None
    partial = partial_of(options.json) if options.json else None
    report = evaluate(evaluated, pictures, names, partial)
    if options.json:
        write_json(options.json, report)
        partial.unlink(missing_ok=True)
    print_evaluation(report, names)
    compared = report["agreement"]
    if compared and compared["agree"] < compared["pictures"]:
        sys.exit(EXIT_FAILURE)


def described(
    options: argparse.Namespace,
    loaded: LoadedCheckpoint | OnnxNetwork,
    preprocessing: Preprocessing,
    size: tuple[int, int],
) -> dict[str, Any]:
    """What a report begins with."""
    return {
        "model": loaded.name,
        "weights": (options.weights or options.onnx).name,
        "sha256": loaded.sha256,
        "weight_files": loaded.weight_files if options.onnx else {},
        "convention": loaded.convention,
        "preprocessing": preprocessing_name(preprocessing),
        "input_size": list(size),
        "engine": options.engine,
        "reference": "ONNX Runtime" if options.onnx else "PyTorch",
        "data": str(options.data),
    }


def parse_options(
    arguments: list[str] | None, board: Callable[[str], Any] = str
) -> argparse.Namespace:
    """The resolved options, `board` reading BOARD; leaves with exit code 2 where they are wrong."""
    parser = _parser(board)
    options = parser.parse_args(arguments)
    of_file = "onnxruntime" if options.onnx else "pytorch"
    options.engine = options.engine or ("module" if options.module else of_file)
    if options.onnx and (options.model or options.convention or options.engine == "pytorch"):
        parser.error("--model, --convention and --engine pytorch do not apply to --onnx")
    if (options.engine == "module") != (options.module is not None):
        parser.error("--engine module and --module go together")
    by_module = (options.convention, options.preprocessing, options.input_size)
    if options.module and any(by_module):
        parser.error("--convention, --preprocessing and --input-size are the module's own")
    if options.board and not options.module:
        parser.error("--board applies to --module only")
    return options


def _parser(board: Callable[[str], Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluate.py",
        description="Top-1 and top-5 accuracy, one picture at a time as on the device. With --json "
        "an interrupted evaluation goes on where it was.",
    )
    add = parser.add_argument
    add("--model", type=argument(model_name), metavar="NAME",
        help="refuse weights of another network (default: what the weights are of)")  # fmt: skip
    network = parser.add_mutually_exclusive_group(required=True)
    network.add_argument("--weights", type=existing_file, metavar="FILE", help="a checkpoint")
    network.add_argument("--onnx", type=existing_file, metavar="FILE",
        help="an ONNX file, which ONNX Runtime is the reference of")  # fmt: skip
    add("--data", type=data_folder, required=True, metavar="DIR|digits",
        help="pictures in class folders, or with a labels.csv (columns file,label); or the "
        "held-out ones of scikit-learn's digits")  # fmt: skip
    add("--engine", choices=ENGINES,
        help="what runs the network (default: module with --module, onnxruntime with --onnx, else "
        "pytorch)")  # fmt: skip
    add("--module", type=existing_file, metavar="MODULE.so",
        help="a library built from that file, its report MODULE.json beside it")  # fmt: skip
    add("--board", type=argument(board), metavar="BOARD",
        help="where the module runs: local, emulated[:CORE], rpc://HOST:PORT or "
        "tracker://HOST:PORT/KEY (default: local)")  # fmt: skip
    add("--convention", choices=("paper", "official"),
        help="how channels are shuffled (default: by the weights)")  # fmt: skip
    add("--preprocessing", choices=tuple(PREPROCESSINGS),
        help="how pictures become inputs (default: by the weights)")  # fmt: skip
    add("--input-size", type=input_size, metavar="N|HxW",
        help="default: what the weights say, or as published")  # fmt: skip
    add("--labels", type=existing_file, metavar="FILE", help="class names, one a line")
    add("--json", type=new_file, metavar="FILE", help="write the report here")
    return parser


def _engine(
    options: argparse.Namespace,
) -> tuple[LoadedCheckpoint | OnnxNetwork, tuple[int, int], Run, Run | None]:
    """The network, its input's (H, W), what runs it here, and beside which reference."""
    if options.onnx:
        network = load_onnx_network(options.onnx, options.input_size)
        return network, network.size, network.run, None
    loaded = load_checkpoint(
        options.weights,
        expected=options.model,
        convention=options.convention,
        input_size=options.input_size,
    )
    size = loaded.input_size
    if options.engine == "pytorch":
        return loaded, size, loaded.run, None
    return loaded, size, onnx_engine(loaded.module, (1, 3, *size)), loaded.run


if __name__ == "__main__":
    run_command(main)
