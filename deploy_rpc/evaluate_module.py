"""evaluate.py for a compiled module on a board; `model/evaluate.py --module` starts it."""

from __future__ import annotations

import hashlib

from deploy_rpc.board_spec import parse_board
from deploy_rpc.built_library import read_built_library
from deploy_rpc.emulated_board import board_for
from deploy_rpc.session import open_session
from model.checkpoints import load_checkpoint
from model.cli import run_command
from model.evaluate import described, evaluate_with, parse_options
from model.evaluation import Evaluated
from model.onnx_network import load_onnx_network


def main(arguments: list[str] | None = None) -> None:
    """Evaluates the module beside its reference; exits 1 where their best classes differ."""
    options = parse_options(arguments, parse_board)
    library = read_built_library(options.module)
    board = board_for(options.board or parse_board("local"), library.core)
    classes = library.classes
    size = library.input_shape[2:]
    if options.onnx:
        loaded = load_onnx_network(options.onnx, size)
    else:
        loaded = load_checkpoint(
            options.weights,
            expected=options.model or library.model,
            convention=library.convention,
            input_size=size,
        )
    what = {
        **described(options, loaded, library.preprocessing, size),
        "module": library.path.name,
        "module_sha256": hashlib.sha256(library.path.read_bytes()).hexdigest(),
        "board": str(board),
    }
    with open_session(board) as session:
        module = session.load(
            library.path, output_shapes=library.output_shapes, threads=library.threads
        )
        evaluated = Evaluated(module.run, loaded.run, library.preprocessing, size, what)
        evaluate_with(options, evaluated, classes)


if __name__ == "__main__":
    run_command(main)
