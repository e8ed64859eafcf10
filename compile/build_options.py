"""The command line of build.py: its arguments, their defaults, and what they resolve to."""

from __future__ import annotations

import argparse
from pathlib import Path

from compile.default_board import default_board
from compile.link import LINKERS
from compile.lower import DEFAULT_LEVEL, LEVELS
from compile.sensitivity.choose import keep_float
from compile.targets import (
    ABIS,
    TargetError,
    parse_target,
    runs_lowered_here,
    with_abi,
    with_dtype,
)
from compile.tuning.decisions import TUNING_LOGS
from deploy_rpc.board_spec import parse_board
from deploy_rpc.bundle import BOARD_ISA
from deploy_rpc.cores import DTYPES
from deploy_rpc.emulated_board import board_for
from model.cli import argument, existing_file, existing_folder, input_size, new_file, positive_int
from model.preprocess import PREPROCESSINGS
from model.zoo import DEFAULT_MODEL, model_name, shuffles_channels

NOT_VERIFIED = "int8 for another kind of core does not run here, so it will not be verified"


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The resolved options; leaves with exit code 2 where they make no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check_network(parser, options)
    if options.static and options.level == "stock":
        parser.error("--static does not apply to --level stock, which needs TVM's runtime")
    if options.json and options.json.parent != options.out:  # which the build makes
        try:
            new_file(str(options.json))
        except argparse.ArgumentTypeError as error:
            parser.error(f"--json: {error}")
    if options.abi:
        try:
            options.target = with_abi(options.target, options.abi)
        except TargetError as error:
            parser.error(f"--abi: {error}")
    _check_dtype(parser, options)
    try:
        options.target = with_dtype(options.target, options.dtype)
    except TargetError as error:
        parser.error(f"--dtype: {error}")
    if options.tuning_logs and options.level != "tuned":
        parser.error("--tuning-logs are what --level tuned takes; other levels take none")
    options.tuning_logs = options.tuning_logs or TUNING_LOGS
    options.no_board_reason = ""
    if options.board:
        _check_board(parser, options)
        options.board = board_for(options.board, options.target.core.name)
    else:
        options.board, options.no_board_reason = default_board(
            options.target, options.threads, options.level
        )
    return options


def _check_network(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.onnx and (options.model or options.convention):
        parser.error("--model and --convention do not apply to --onnx: the file says it all")
    if options.onnx and options.features:
        parser.error(
            "--features does not apply to --onnx: a file that has its maps as outputs builds as it "
            "is"
        )
    if options.convention and options.model and not shuffles_channels(options.model):
        parser.error(f"--convention does not apply to {options.model}, which shuffles no channels")


def _check_dtype(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.dtype != "float32" and options.level == "stock":
        parser.error("--level stock is TVM's float32 pipeline; it takes no other --dtype")
    if options.calibration and options.dtype != "int8":
        parser.error("--calibration is for --dtype int8; other types need none")
    if (options.sensitivity or options.keep_float) and options.dtype != "int8":
        parser.error("--sensitivity and --keep-float are for --dtype int8")
    if options.dtype == "int8" and options.level == "unfused":
        parser.error("--level unfused has no int8: shuffles and sums are in its kernels; use fused")


def _check_board(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    board, target = options.board, options.target
    if board.kind == "modelled" and options.level == "stock":
        parser.error(
            "--board modelled prices plain C libraries, and --level stock needs TVM's runtime; use "
            "--board emulated, or another level"
        )
    if board.under_qemu and target.core.isa == BOARD_ISA and target.abi != "gnu":
        parser.error(f"the system of --board {board} is of glibc, not {target.abi}; leave it away")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build.py",
        description="Builds a network into a shared library for a core, and verifies it against "
        "the network it came from.",
        epilog="Without --weights and --onnx the weights are random, drawn from seed 0: good for "
        "timing and for trying things out.",
    )
    add = parser.add_argument
    add(
        "--target",
        required=True,
        type=argument(parse_target),
        metavar="T",
        help="arm_cpu (a Cortex-A72), host, a core, a board, or a TVM target as JSON",
    )
    _add_source(parser.add_argument_group("what to build"))
    how = parser.add_argument_group("how to build it")
    _add_decisions(how)
    _add_linking(how)
    _add_int8(parser.add_argument_group("with --dtype int8"))
    add(
        "--board",
        type=argument(parse_board),
        metavar="BOARD",
        help="where to verify: local, emulated[:CORE], modelled[:CORE], rpc://HOST:PORT, "
        "tracker://HOST:PORT/KEY; CORE is the target's unless named (default: local for what "
        "this machine runs, modelled or emulated for aarch64 where QEMU is installed)",
    )
    add("--out", type=Path, default=Path("build"), metavar="DIR", help="default: %(default)s")
    add("--dump", type=Path, metavar="DIR", help="write the IR after each phase here")
    add("--json", type=Path, metavar="FILE", help="write the report here, too")
    return parser


def _add_source(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model",
        type=argument(model_name),
        metavar="NAME",
        help=f"shufflenet-SCALEx-gGROUPS, mobilenet-WIDTH or alexnet (default: {DEFAULT_MODEL}, "
        "or what the weights are of)",
    )
    weights = group.add_mutually_exclusive_group()
    weights.add_argument("--weights", type=existing_file, metavar="FILE", help="a checkpoint")
    weights.add_argument("--onnx", type=existing_file, metavar="FILE", help="an ONNX file instead")
    group.add_argument(
        "--input-size",
        type=input_size,
        metavar="N|HxW",
        help="rows and columns of the input (default: what the weights say, or 224 as published); "
        "of an ONNX file, where it leaves them open: its batch, where open, is always 1",
    )
    group.add_argument(
        "--features",
        action="store_true",
        help="without the classifier: the feature maps of strides 4 (behind the stem's pool), 8, "
        "16 and 32 (behind stages 2, 3 and 4) as named outputs, for a detector",
    )
    group.add_argument(
        "--convention",
        choices=("paper", "official"),
        help="where and in which direction channels are shuffled (default: by the weights, or "
        "paper)",
    )
    group.add_argument(
        "--preprocessing",
        choices=tuple(PREPROCESSINGS),
        help="how pictures become inputs (default: bgr255 for official checkpoints, or imagenet)",
    )


def _add_decisions(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--level",
        choices=LEVELS,
        default=DEFAULT_LEVEL,
        help="rung of the ladder (default: %(default)s)",
    )
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="of weights and activations; float16 for cores that have FEAT_FP16, int8 is quantised "
        "(see --calibration), input and output stay float32 (default: %(default)s)",
    )
    group.add_argument(
        "--tuning-logs",
        type=Path,
        metavar="DIR",
        help="records that --level tuned takes (default: those of the project)",
    )
    group.add_argument(
        "--threads",
        type=positive_int,
        default=1,
        metavar="N",
        help="threads that one inference uses (default: 1)",
    )


def _add_int8(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--calibration",
        type=existing_folder,
        metavar="DIR",
        help="pictures by which it finds the ranges of values, a hundred of the kind "
        "that the network will see (default: synthetic ones, which cost accuracy)",
    )
    group.add_argument(
        "--sensitivity",
        action="store_true",
        help="show what each layer's int8 costs, on the calibration's pictures",
    )
    group.add_argument(
        "--keep-float",
        type=argument(keep_float),
        metavar="LAYERS|auto:ERROR",
        help="layers that stay float32, by the names that --sensitivity lists, "
        "as in stem1,pointwise25..dense1; or as many as it takes for the logits to be off by no "
        "more than ERROR, root mean square, of their range, as in auto:0.01",
    )


def _add_linking(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--abi",
        choices=ABIS,
        help="the C library of the board's system (default: gnu, or the target's own)",
    )
    group.add_argument(
        "--linker",
        choices=LINKERS,
        default="auto",
        help="zig comes with the package; gnu and ndk must be installed (default: zig)",
    )
    group.add_argument(
        "--static",
        action="store_true",
        help="write a static library (.a) as well; not for level stock, which needs TVM's runtime",
    )


def print_options(options: argparse.Namespace) -> None:
    """Says what will be built from what, and where it will be verified."""
    model = [] if options.onnx or options.weights else [options.model or DEFAULT_MODEL]
    source = options.weights or options.onnx or "random weights (seed 0)"
    print(
        f"build {' '.join([*model, f'from {source}'])} for {options.target.name} "
        f"({options.target.core.name}, {options.target.triple}), {options.dtype}, level "
        f"{options.level}, {options.threads} thread(s)"
    )
    if options.board is None:
        here = "verifying the same lowered module built for this machine"
        print("no board:", here if runs_lowered_here(options.target) else NOT_VERIFIED)
        print(f"  ({options.no_board_reason})")
    else:
        print(f"verifying on board {options.board}")
