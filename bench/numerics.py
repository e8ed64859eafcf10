"""python bench/numerics.py --json FILE: every network, size, level and number of threads.

Each is built, run on two random inputs, and compared with PyTorch: errors as shares of the logits'
range. More threads than one must give the very bits that one gives.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from bench.bits import same_bits
from bench.boards import BOARDS
from bench.context import measurement_context
from bench.over_pictures import loaded_on_board
from bench.provenance import command_line, is_one_state
from bench.reports import read_report, with_kept_rows
from bench.rows import ENGINE, Row, report_row
from compile.lower import LEVELS, lower
from compile.network import Network
from compile.source import random_network
from compile.targets import parse_target
from compile.verify import TOLERANCES
from deploy_rpc.board_spec import parse_board
from model.cli import argument, input_size, new_file, positive_int, run_command, write_json
from model.console import table_console
from model.errors import InputError
from model.progress import with_progress
from model.zoo import MODEL_NAMES, model_name

ABOUT = ("model", "input", "level", "target", "threads")
SEEDS = (0, 1)
TOLERANCE = TOLERANCES["float32"]


class NumericsError(InputError):
    """An answer that is not PyTorch's, or not the same on every number of threads."""


@dataclass(frozen=True)
class Build:
    """One library to make and judge."""

    model: str
    size: tuple[int, int]
    level: str
    target: str

    def is_in(self, rows: Sequence[Row], threads: Sequence[int]) -> bool:
        """Whether `rows` have this for each of `threads`."""
        size = "x".join(map(str, self.size))
        known = {tuple(row[column] for column in ABOUT) for row in rows}
        return all((self.model, size, self.level, self.target, n) in known for n in threads)


def main(arguments: list[str] | None = None) -> None:
    """Judges what the report does not have yet, a build at a time; exits 1 at any difference."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    context = measurement_context(command_line("bench/numerics.py", arguments))
    kept = _kept(options.json, context["revision"])
    every = itertools.product(options.model, options.input_size, options.level, options.target)
    left = [
        each for each in itertools.starmap(Build, every) if not each.is_in(kept, options.threads)
    ]
    for build in with_progress(left, "builds", len(left)):
        rows = with_kept_rows(options.json, list(_rows(build, options.threads)), context, ABOUT)
        write_json(options.json, {"context": context, "rows": rows})
    rows = read_report(str(options.json)).rows
    table_console().print(numerics_table(rows))
    check_rows(rows)


def check_rows(rows: Sequence[Row]) -> None:
    """Raises `NumericsError` for the first row whose answer is another than it should be."""
    for row in rows:
        what = " ".join(f"{column} {row[column]}" for column in ABOUT)
        if not np.max(row["samples"]) <= TOLERANCE:  # not of NaN either, wherever it stands
            raise NumericsError(
                f"{what}: {np.max(row['samples']):.1e} of the logits' range from PyTorch's answer, "
                f"expected {TOLERANCE:g} at most; build it with --dump DIR to see each phase"
            )
        if not row["same_bits"]:
            raise NumericsError(f"{what}: other bits than on {row['beside']} thread(s)")


def numerics_table(rows: Sequence[Row]) -> Table:
    """A row a target, level and number of threads: the largest error, and where it is."""
    table = Table(title="Beside PyTorch, on random inputs", title_justify="left")
    for column in ("target", "level", "threads", "builds", "largest error", "of"):
        table.add_column(column)
    for cells in summary(rows):
        table.add_row(*cells)
    return table


def summary(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Cells of a table: target, level, threads, networks and sizes, largest error and whose."""
    kinds = dict.fromkeys((row["target"], row["level"], row["threads"]) for row in rows)
    for target, level, threads in kinds:
        of_kind = [
            row
            for row in rows
            if (row["target"], row["level"], row["threads"]) == (target, level, threads)
        ]
        worst = max(of_kind, key=lambda row: max(row["samples"]))
        yield (
            target,
            level,
            str(threads),
            str(len(of_kind)),
            f"{max(worst['samples']):.1e}",
            f"{worst['model']}, {worst['input']}",
        )


def _kept(path: Path, revision: str) -> Sequence[Row]:
    """What the report has of this `revision`, where that says what the code was."""
    rows = read_report(str(path)).rows if path.exists() and is_one_state(revision) else []
    return [row for row in rows if row["revision"] == revision]


def _rows(build: Build, threads: Sequence[int]) -> Iterator[Row]:
    network = random_network(build.model, input_size=build.size)
    inputs = [network.example_input(seed) for seed in SEEDS]
    expected = [network.reference(x) for x in inputs]
    first: list[np.ndarray] | None = None
    for count in threads:
        answers = _answers(build, network, inputs, count)
        first = first or answers
        errors = [
            float(np.abs(y - wanted).max() / np.ptp(wanted))
            for y, wanted in zip(answers, expected, strict=True)
        ]
        yield report_row(
            "numerics",
            parse_target(build.target),
            network=network,
            engine=ENGINE,
            level=build.level,
            threads=count,
            kind="measured",
            unit="of the logits' range",
            samples=errors,
            same_bits=same_bits(answers, first),
            beside=threads[0],
        )


def _answers(
    build: Build, network: Network, inputs: Sequence[np.ndarray], threads: int
) -> list[np.ndarray]:
    lowered = lower(network, build.level, parse_target(build.target), threads=threads)
    with loaded_on_board(lowered, parse_board(BOARDS[build.target])) as module:
        return [module.run(x) for x in inputs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="numerics.py",
        description="Builds networks at many sizes, levels and numbers of threads, and compares "
        "their answers with PyTorch's. What the report has of this commit is not done again.",
    )
    add = parser.add_argument
    add("--model", type=argument(model_name), nargs="+", default=MODEL_NAMES, metavar="NAME",
        help="default: all")  # fmt: skip
    add("--input-size", type=input_size, nargs="+", default=[(224, 224)],
        metavar="N|HxW", help="default: 224")  # fmt: skip
    add("--level", choices=LEVELS, nargs="+", default=("unfused", "fused"),
        help="default: unfused and fused")  # fmt: skip
    add("--target", choices=tuple(BOARDS), nargs="+", default=("host",),
        help="run on this machine, and on the emulated core (default: host)")  # fmt: skip
    add("--threads", type=positive_int, nargs="+", default=(1, 2), metavar="N",
        help="all of them have to give the same bits (default: 1 2)")  # fmt: skip
    add("--json", type=new_file, required=True, metavar="FILE",
        help="the report; rows of other builds that it has already stay")  # fmt: skip
    return parser


if __name__ == "__main__":
    run_command(main)
