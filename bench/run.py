"""python bench/run.py SUITE --target T --json FILE: measure, and write a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.context import measurement_context
from bench.fusion import measure_ladder
from compile.targets import parse_target
from deploy_rpc.board_spec import BoardError, parse_board
from model.cli import argument, positive_int, run_command, write_json
from model.zoo import DEFAULT_MODEL, model_name

SUITES = {"fusion": measure_ladder}


def main(arguments: list[str] | None = None) -> None:
    """Runs one suite over the models asked for."""
    options = _parser().parse_args(arguments)
    if options.board.kind == "emulated":
        raise BoardError(
            f"board {options.board} has no times worth reporting, only right answers; measure on "
            "local, rpc://HOST:PORT or tracker://HOST:PORT/KEY"
        )
    report = {"context": measurement_context(), "rows": []}
    for model in options.model:
        print(f"{options.suite}: {model} for {options.target.name} on {options.board}")
        report["rows"] += SUITES[options.suite](
            model, options.target, options.board, options.threads
        )
    _print_rows(report["rows"])
    write_json(options.json, report)
    print(options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="Measures, and writes a report.")
    add = parser.add_argument
    add("suite", choices=tuple(SUITES), help="fusion: the ladder of levels")
    add("--target", required=True, type=argument(parse_target), metavar="T", help="as in build.py")
    add(
        "--model",
        type=argument(model_name),
        nargs="+",
        default=[DEFAULT_MODEL],
        metavar="NAME",
        help=f"networks to measure (default: {DEFAULT_MODEL})",
    )
    add("--threads", type=positive_int, default=1, metavar="N", help="default: 1")
    add(
        "--board",
        type=argument(parse_board),
        default="local",
        metavar="BOARD",
        help="local, rpc://HOST:PORT or tracker://HOST:PORT/KEY (default: local)",
    )
    add("--json", type=Path, required=True, metavar="FILE", help="the report")
    return parser


def _print_rows(rows: list[dict]) -> None:
    table = Table("model", "input", "level", "kind")
    for column in ("threads", "median", "min", "max", "rounds", "speedup over stock"):
        table.add_column(column, justify="right")
    for row in rows:
        samples = row["samples"]
        table.add_row(
            row["model"],
            row["input"],
            row["level"],
            row["kind"],
            str(row["threads"]),
            *(
                f"{value:.2f} {row['unit']}"
                for value in (row["median"], min(samples), max(samples))
            ),
            str(len(samples)),
            f"{row['speedup_over_stock']:.2f}x",
        )
    Console(width=None if Console().is_terminal else 160).print(table)


if __name__ == "__main__":
    run_command(main)
