"""python bench/run.py SUITE --target T --json FILE: measure, and write a report."""

from __future__ import annotations

import argparse
import contextlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from bench.boards import cores_of
from bench.context import measurement_context
from bench.engines import peers_in, quick_peers
from bench.machine import measured_machine
from bench.model_warnings import model_warnings
from bench.noise import noise_warnings
from bench.page import write_page
from bench.provenance import command_line
from bench.reports import Report
from bench.rows import Row
from bench.suites import DEFAULTS, LONG_ROUNDS, SHORT_ROUNDS, SUITES, Suite
from compile.lower import DEFAULT_LEVEL, LEVELS
from compile.targets import TargetError, parse_target, with_dtype
from deploy_rpc.board_spec import BoardError, parse_board
from deploy_rpc.cores import DTYPES, Dtype
from model.cli import (
    argument,
    existing_file,
    existing_folder,
    input_size,
    new_file,
    positive_int,
    run_command,
    write_json,
)
from model.console import table_console
from model.zoo import DEFAULT_MODEL, model_name

TIMED_IN: dict[str, tuple[Dtype, ...]] = {  # of suites that time few number formats
    "layers": ("float32", "int8"),
    "peers": ("float32", "int8"),
}
ONE_MODEL_A_TABLE = ("layers", "independent")
PLAIN_WIDTH = 160  # of tables where there is no terminal


def main(arguments: list[str] | None = None) -> None:
    """Runs one suite over the models asked for."""
    options = _options(arguments)
    suite = SUITES[options.suite]
    options.context = context = measurement_context(command_line("bench/run.py", arguments))
    if options.quick:
        context["short_form"] = suite.short_form
    measured = suite.timed and options.board.kind != "modelled"
    around = measured_machine if measured else lambda *_: contextlib.nullcontext()
    with around(options.target, options.board, context):
        rows = list(suite.measure(options))
    context["warnings"] = [*noise_warnings(context, rows), *model_warnings(rows)]
    write_json(options.json, {"context": context, "rows": rows})
    for path in options.leftovers:
        path.unlink(missing_ok=True)
    _print_tables(rows)
    _print_context(context)
    if options.html:
        write_page([Report(str(options.json), context, rows)], options.html)
        print(options.html)
    print(options.json)


def _check_board(suite: Suite, options: argparse.Namespace) -> None:
    """Raises `BoardError` where the suite has no figures to get from the board."""
    name, board, target = options.suite, options.board, options.target
    if board.kind == "emulated" and board.kind not in suite.boards:
        raise BoardError(
            f"board {board} has no times worth reporting, only right answers; measure on "
            "local, rpc://HOST:PORT or tracker://HOST:PORT/KEY"
        )
    if board.kind not in suite.boards:
        others = ", ".join(other for other in SUITES if board.kind in SUITES[other].boards)
        raise BoardError(
            f"{name} runs on {', '.join(suite.boards)}; on {board} there are: {others}"
        )
    if board.kind == "modelled" and target.core.isa != "aarch64":
        raise BoardError(f"board {board} is aarch64, target {target.name} is not")
    if board.kind == "modelled" and options.level == "stock":
        raise BoardError(f"level stock needs TVM's runtime, {board} has none; take --level unfused")
    if target.dtype not in TIMED_IN.get(name, DTYPES) and board.kind != "modelled":
        raise BoardError(f"{name} of {target.dtype} are modelled only, not timed on {board}")
    if board.kind == "local" and suite.host_only and not target.is_host:
        raise BoardError(f"{name} is measured on this machine only: --target host, without --board")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    """The resolved options; leaves with exit code 2 where the suite has no use for one."""
    parser = _parser()
    options = parser.parse_args(arguments)
    suite = SUITES[options.suite]
    defaults = DEFAULTS | suite.defaults | (suite.quick if options.quick else {})
    for name in DEFAULTS:
        if getattr(options, name) is None:
            setattr(options, name, defaults[name])
        elif name not in suite.options:
            users = " and ".join(other for other in SUITES if name in SUITES[other].options)
            parser.error(
                f"--{name.replace('_', '-')} does not apply to {options.suite}, only to {users}"
            )
    if options.level == "stock" and options.suite != "layers":
        parser.error("--level stock needs TVM's runtime and is no library alone; only for layers")
    try:
        options.target = with_dtype(options.target, options.dtype)
    except TargetError as error:
        parser.error(f"--dtype: {error}")
    if bool(options.weights) != bool(options.data):
        parser.error("--weights and --data go together")
    if options.dtype != "float32" and options.level == "stock":
        parser.error("--level stock is TVM's float32 pipeline; it takes no other --dtype")
    try:
        _check_board(suite, options)
        options.threads = options.threads or cores_of(options.board, options.target)
    except BoardError as error:
        parser.error(str(error))
    options.sizes = defaults.get("sizes")
    options.leftovers = []  # files of use to an interrupted run alone
    options.rounds = SHORT_ROUNDS if options.quick else LONG_ROUNDS
    options.peers = (quick_peers if options.quick else peers_in)(options.dtype)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="Measures, and writes a report.")
    add = parser.add_argument
    suites = "; ".join(f"{name}: {suite.help}" for name, suite in SUITES.items())
    add("suite", choices=tuple(SUITES), help=suites)
    add("--target", required=True, type=argument(parse_target), metavar="T", help="as in build.py")
    add(
        "--model",
        type=argument(model_name),
        nargs="+",
        metavar="NAME",
        help=f"networks to measure, with random weights (default: {DEFAULT_MODEL}; "
        "table8, groups: the paper's)",
    )
    add(
        "--input-size",
        type=input_size,
        metavar="N|HxW",
        help="rows and columns of the input (default: as published; table8: the paper's three)",
    )
    add(
        "--level",
        choices=LEVELS,
        help=f"rung of the ladder that layers, groups and threads time (default: {DEFAULT_LEVEL})",
    )
    add("--threads", type=positive_int, metavar="N", help="default: 1; threads: the board's cores")
    add("--dtype", choices=DTYPES, help="of weights and activations (default: float32)")
    add("--weights", type=existing_file, metavar="FILE", help="accuracy: a checkpoint, with --data")
    add("--data", type=existing_folder, metavar="DIR",
        help="accuracy: pictures in class folders, or with a labels.csv")  # fmt: skip
    add(
        "--board",
        type=argument(parse_board),
        default="local",
        metavar="BOARD",
        help="local, modelled[:CORE], rpc://HOST:PORT or tracker://HOST:PORT/KEY, for accuracy "
        "emulated[:CORE], too (default: local)",
    )
    add("--quick", action="store_true", help="the short form: fewer networks, engines and rounds")
    add("--json", type=new_file, required=True, metavar="FILE", help="the report")
    add("--html", type=new_file, metavar="FILE", help="the report as one page to look at")
    return parser


def _print_tables(rows: Sequence[Row]) -> None:
    """A table for each suite and model in `rows`; the whole ladder of all models is one."""
    console = table_console(PLAIN_WIDTH)
    for (suite, _), of_table in itertools.groupby(rows, _table_key):
        console.print(SUITES[suite].table(list(of_table)))


def _table_key(row: Row) -> tuple[str, str | None]:
    return row["suite"], row["model"] if row["suite"] in ONE_MODEL_A_TABLE else None


def _print_context(context: Mapping[str, Any]) -> None:
    """What the machine reached in this run, and what to know about the figures."""
    for name, quantity in context.get("machine", {}).items():
        spread = min(quantity["samples"]), max(quantity["samples"])
        what = f"{name.replace('_', ' ')} of one core: {quantity['median']:.1f} {quantity['unit']}"
        print(f"{what} ({spread[0]:.1f} to {spread[1]:.1f})")
    for warning in context["warnings"]:
        print(f"warning: {warning}")


if __name__ == "__main__":
    run_command(main)
