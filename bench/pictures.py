"""python bench/pictures.py --weights FILE --data DIR --json FILE: every level over real pictures.

Each level is built for this machine and for the emulated core, and runs every labelled picture
beside PyTorch: its class, its five best in their order, and its logits have to be the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from bench.boards import BOARDS
from bench.context import measurement_context
from bench.our_networks import our_row
from bench.over_pictures import predictions_of, remembered
from bench.provenance import command_line
from bench.reports import with_kept_rows
from bench.rows import Row
from compile.frontend.torch_import import import_torch
from compile.lower import LEVELS, lower
from compile.network import Network
from compile.targets import parse_target
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from compile.verify import TOLERANCES
from deploy_rpc.board_spec import parse_board
from model.checkpoints import LoadedCheckpoint, load_checkpoint
from model.cli import (
    existing_file,
    existing_folder,
    new_file,
    phase,
    positive_int,
    run_command,
    write_json,
)
from model.console import table_console
from model.errors import InputError
from model.labelled_pictures import LabelledPicture, labelled_pictures
from model.predictions import KEPT, Run, accuracy, agreement
from model.zoo import default_input_size

TARGETS = {board: target for target, board in BOARDS.items()}
TOLERANCE = TOLERANCES["float32"]


class PicturesError(InputError):
    """A level that does not answer as PyTorch does."""


def main(arguments: list[str] | None = None) -> None:
    """Builds and runs them all, prints a table, writes the report; exits 1 at any difference."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    context = measurement_context(command_line("bench/pictures.py", arguments))
    loaded = load_checkpoint(options.weights)
    pictures = labelled_pictures(options.data, loaded.classes)[: options.first]
    network, reference = _network(loaded, options.weights), remembered(loaded.run)
    rows = []
    for board in options.board:
        for level in options.level:
            with phase(f"{level} on {board}, {len(pictures)} pictures"):
                rows.append(_row(network, level, board, pictures, reference))
    rows = with_kept_rows(options.json, rows, context, ("model", "level", "board"))
    write_json(options.json, {"context": context, "rows": rows})
    table_console().print(pictures_table(rows))
    check_rows(rows)


def check_rows(rows: Sequence[Row]) -> None:
    """Raises `PicturesError` for the first row in which an answer is not PyTorch's."""
    for row in rows:
        same = min(row["agree"], row["same_best"])
        largest = np.max(row["samples"])  # NaN where one is
        if same < row["pictures"] or not largest <= TOLERANCE:
            raise PicturesError(
                f"{row['level']} on {row['board']}: class and five best as PyTorch's on {same} of "
                f"{row['pictures']} pictures, logits within {largest:.1e} of their "
                f"range; expected all, and {TOLERANCE:g}. model/evaluate.py --module shows which"
            )


def pictures_table(rows: Sequence[Row]) -> Table:
    """A row a level and board."""
    table = Table(title="Levels over pictures, beside PyTorch", title_justify="left")
    for column in ("model", "level", "board"):
        table.add_column(column)
    headings = ("top-1", f"top-{KEPT}", "same class", f"same best {KEPT}", "logits", "recorded")
    for column in headings:
        table.add_column(column, justify="right")
    for row in rows:
        of_all = f"of {row['pictures']}"
        table.add_row(
            row["model"],
            row["level"],
            row["board"],
            f"{row['top1']:.1%}",
            f"{row['top5']:.1%}",
            f"{row['agree']} {of_all}",
            f"{row['same_best']} {of_all}",
            f"{max(row['samples']):.1e}",
            f"{row['recorded']} of {row['kernels']}",
        )
    table.caption = "logits: largest error, as a share of their range; recorded: kernels by records"
    return table


def _network(loaded: LoadedCheckpoint, weights: Path) -> Network:
    with phase("import"):
        return import_torch(
            loaded.module,
            name=loaded.name,
            input_shape=(1, 3, *default_input_size(loaded.name)),
            preprocessing=loaded.preprocessing,
            provenance={"weights": weights.name, "sha256": loaded.sha256},
        )


def _row(
    network: Network,
    level: str,
    board: str,
    pictures: Sequence[LabelledPicture],
    reference: Run,
) -> Row:
    target = parse_target(TARGETS[board])
    decisions = recorded_decisions(TUNING_LOGS, target.core) if level == "tuned" else None
    lowered = lower(network, level, target, decisions=decisions)
    predictions = predictions_of(lowered, parse_board(board), pictures, reference)
    judged, compared = accuracy(predictions), agreement(predictions)
    errors = [each.reference_error / each.reference_range for each in predictions]
    return our_row(
        "pictures",
        lowered,
        "measured",
        "of the logits' range",
        errors,
        board=board,
        pictures=len(predictions),
        kernels=len(lowered.kernels),
        recorded=sum(kernel.source.startswith("tuned") for kernel in lowered.kernels),
        top1=judged["top1"],
        top5=judged[f"top{KEPT}"],
        agree=compared["agree"],
        same_best=compared[f"same_top{KEPT}"],
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pictures.py",
        description="Runs every level over labelled pictures, here and on the emulated core, and "
        "compares each answer with PyTorch's.",
    )
    add = parser.add_argument
    add("--weights", type=existing_file, required=True, metavar="FILE", help="a checkpoint")
    add("--data", type=existing_folder, required=True, metavar="DIR",
        help="pictures in class folders, or with a labels.csv (columns file,label)")  # fmt: skip
    add("--level", choices=LEVELS[1:], nargs="+", default=LEVELS[1:],
        help="default: unfused, fused and tuned")  # fmt: skip
    add("--board", choices=tuple(TARGETS), nargs="+", default=tuple(TARGETS), help="default: both")
    add("--first", type=positive_int, metavar="N", help="the first N pictures only")
    add("--json", type=new_file, required=True, metavar="FILE",
        help="the report; rows of other levels and boards that it has already stay")  # fmt: skip
    return parser


if __name__ == "__main__":
    run_command(main)
