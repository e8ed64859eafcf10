"""The command line of train.py: its arguments, and the settings that they resolve to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from model.cli import (
    argument,
    input_size,
    new_file,
    not_negative,
    positive_int,
    whole_number,
)
from model.digits.pictures import DIGITS, data_folder
from model.preprocess import PREPROCESSINGS
from model.training.processes import process_count
from model.training.settings import Settings
from model.zoo import DEFAULT_MODEL, default_input_size, model_name, shuffles_channels

PAPER = Settings(DEFAULT_MODEL, 0, (0, 0), "")  # of which the defaults of the recipe are taken
DIGITS_DEFAULTS = {  # with which the model in the box was trained
    "model": "shufflenet-0.25x-g3",
    "input_size": (32, 32),
    "epochs": 48,
    "batch_size": 32,
    "lr": 0.1,
    "least_crop": 0.8,
    "jitter": 0.0,
    "flip": False,
    "validate_every": 12,
    "workers": 0,
    "threads": 1,
}
MAX_SEEDS = 1 << 64  # PyTorch's
USUAL = {"model": DEFAULT_MODEL, "workers": 4, "validate_every": 1}


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The resolved options; leaves with exit code 2 where they make no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    defaults = DIGITS_DEFAULTS if options.data == DIGITS else {}
    for name, value in (USUAL | defaults).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if not shuffles_channels(options.model) and (options.convention or not options.shuffle):
        parser.error(f"--convention and --no-shuffle: {options.model} shuffles no channels")
    if options.json and options.stop_at:
        parser.error("--json reports a finished training; leave it away with --stop-at")
    batch, processes = options.batch_size or PAPER.batch_size, process_count()
    if batch % processes:
        parser.error(f"--batch-size {batch} is not divided by the {processes} processes")
    return options


def settings_of(options: argparse.Namespace, classes: int, data: str) -> Settings:
    """What the run depends on: `options` where they are given, else the paper's recipe."""
    named = {
        name: getattr(options, name)
        for name in Settings.__dataclass_fields__
        if name != "data" and getattr(options, name, None) is not None
    }
    usual = {
        "input_size": default_input_size(options.model),
        "preprocessing": "bgr255" if options.convention == "official" else "imagenet",
        "processes": process_count(),
    }
    found = {"classes": classes, "data": data}
    return Settings(**(usual | named | found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train.py",
        description="Trains a network by the paper's recipe. On several GPUs or machines: "
        "torchrun --nproc-per-node N model/train.py ...",
    )
    _add_files(parser)
    _add_network(parser.add_argument_group("what to train"))
    _add_recipe(parser.add_argument_group("recipe (default: the paper's for ImageNet)"))
    _add_run(parser.add_argument_group("how to run it"))
    return parser


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=data_folder, required=True, metavar="DIR|digits",
        help="a folder with train/CLASS/PICTURE and val/CLASS/PICTURE; or scikit-learn's digits, "
        "with a recipe for them")  # fmt: skip
    add("--out", type=Path, default=Path("build/training"), metavar="DIR",
        help="for checkpoint.pth, TensorBoard's logs and, at the end, NAME.safetensors "
        "(default: %(default)s)")  # fmt: skip
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--json", type=new_file, metavar="FILE", help="write the report here")


def _add_network(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--model", type=argument(model_name), metavar="NAME",
        help=f"as in build.py (default: {DEFAULT_MODEL})")  # fmt: skip
    add("--input-size", type=input_size, metavar="N|HxW", help="default: as published")
    add("--convention", choices=("paper", "official"),
        help="where and how channels are shuffled (default: paper)")  # fmt: skip
    add("--no-shuffle", dest="shuffle", action="store_false",
        help="leave the channel shuffle out: the paper's Table 3")  # fmt: skip
    add("--preprocessing", choices=tuple(PREPROCESSINGS),
        help="how pictures become inputs (default: by the convention)")  # fmt: skip


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    def add(flag: str, check: Callable[[str], object], letter: str, text: str) -> None:
        default = getattr(PAPER, flag.removeprefix("--").replace("-", "_"))
        group.add_argument(flag, type=check, metavar=letter, help=f"{text} (default: {default})")

    add("--epochs", positive_int, "N", "times that all pictures are seen")
    add("--batch-size", positive_int, "N", "pictures an update, of all processes together")
    add("--lr", _positive, "X", "learning rate of the first update; it falls to 0 on a line")
    add("--momentum", _share, "X", "of the updates")
    add("--weight-decay", not_negative, "X", "of convolutions and matrices")
    add("--label-smoothing", _share, "X", "share of the target that is spread over all classes")
    add("--least-crop", _positive_share, "X", "least share of a picture's area that is cropped")
    add("--jitter", not_negative, "X", "largest change of brightness, contrast, saturation")
    group.add_argument("--flip", action=argparse.BooleanOptionalAction,
                       help=f"mirror every other picture (default: {PAPER.flip})")  # fmt: skip
    add("--ema", _share, "DECAY", "of averaged weights, which are then the result; 0: none")
    add("--bn-batches", whole_number, "N", "that batch norms are re-estimated over at the end")
    add("--seed", _seed, "N", "of weights, order and crops")


def _add_run(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--precision", choices=("float32", "bfloat16"),
        help="bfloat16: mixed, weights stay float32 (default: float32)")  # fmt: skip
    add("--workers", type=whole_number, metavar="N",
        help="processes that load pictures, for each training process (default: 4)")  # fmt: skip
    add("--threads", type=positive_int, metavar="N",
        help="of each process; with 1 a run repeats bit by bit (default: PyTorch's)")  # fmt: skip
    add("--save-every", type=positive_int, metavar="N",
        help="updates between checkpoints (default: one at the end of each epoch)")  # fmt: skip
    add("--validate-every", type=positive_int, metavar="N",
        help="epochs between looks at the held-out pictures (default: 1)")  # fmt: skip
    add("--stop-at", type=positive_int, metavar="UPDATE",
        help="stop there, to go on with --resume: for queues with a time limit")  # fmt: skip


def _seed(text: str) -> int:
    number = whole_number(text)
    if number >= MAX_SEEDS:
        raise argparse.ArgumentTypeError(f"expected a number below 2^64, got {text}")
    return number


def _positive(text: str) -> float:
    number = not_negative(text)
    if number == 0:
        raise argparse.ArgumentTypeError("expected a number above 0, got 0")
    return number


def _share(text: str) -> float:
    number = not_negative(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {text!r}")
    return number


def _positive_share(text: str) -> float:
    number = _positive(text)
    if number > 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, up to 1, got {text!r}")
    return number
