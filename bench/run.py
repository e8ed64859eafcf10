"""python bench/run.py SUITE --target T --json FILE: measure, and write a report."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.context import measurement_context
from bench.footprint import measure_memory, measure_startup, memory_table, startup_table
from bench.fusion import ladder_table, measure_ladder
from bench.layers import layers_table, measure_layers
from bench.model_check import check_model
from bench.model_check_cases import check_cases
from bench.model_check_report import draw_model_check, model_check_table
from bench.modelled_layers import measure_modelled_layers, modelled_layers_table
from bench.page import write_page
from bench.peak import measured_peak_gflops, peak_row, peak_table
from bench.peers import measure_peers, peers_table
from bench.reports import Report
from bench.rows import Row
from bench.size import measure_size, size_table
from compile.build_options import input_size
from compile.lower import DEFAULT_LEVEL, LEVELS
from compile.network import Network
from compile.source import random_network
from compile.targets import parse_target
from deploy_rpc.board_spec import BoardError, parse_board
from model.cli import argument, new_file, positive_int, run_command, write_json
from model.zoo import DEFAULT_MODEL, model_name

PLAIN_WIDTH = 160  # of tables where there is no terminal


@dataclass(frozen=True)
class Suite:
    """What `measure` makes of the options; `options` are those that mean something to it."""

    help: str
    measure: Callable[[argparse.Namespace], Iterable[Row]]
    table: Callable[[Sequence[Row]], Table]
    options: tuple[str, ...]


def main(arguments: list[str] | None = None) -> None:
    """Runs one suite over the models asked for."""
    options = _options(arguments)
    if options.board.kind == "emulated":
        raise BoardError(
            f"board {options.board} has no times worth reporting, only right answers; measure on "
            "local, rpc://HOST:PORT or tracker://HOST:PORT/KEY"
        )
    if options.board.kind == "modelled":
        _check_modelled(options)
    if options.suite in ON_THIS_MACHINE and not _is_here(options):
        raise BoardError(
            f"{options.suite} is measured on this machine only: --target host, without --board"
        )
    context = measurement_context()
    rows = list(SUITES[options.suite].measure(options))
    _print_tables(rows)
    write_json(options.json, {"context": context, "rows": rows})
    if options.html:
        write_page([Report(str(options.json), context, rows)], options.html)
        print(options.html)
    print(options.json)


def _ladders(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield from measure_ladder(network, options.target, options.board, options.threads)


def _layers(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        if options.board.kind == "modelled":
            yield from measure_modelled_layers(
                network, options.level, options.target, options.board
            )
            continue
        yield from measure_layers(
            network, options.level, options.target, options.board, options.threads
        )


def _layers_table(rows: Sequence[Row]) -> Table:
    modelled = rows[-1]["kind"] == "modelled"
    return modelled_layers_table(rows) if modelled else layers_table(rows)


def _size(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield measure_size(network, options.target, options.threads)


def _memory(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield from measure_memory(network, options.target)


def _startup(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield from measure_startup(network, options.target)


def _peers(options: argparse.Namespace) -> Iterator[Row]:
    if options.board.kind != "modelled":
        raise BoardError("peers stand on a modelled board in this version: --board modelled:CORE")
    for network in _networks(options):
        yield from measure_peers(network, options.target, options.board)


def _peak(options: argparse.Namespace) -> Iterator[Row]:
    print(f"peak: one core of {options.target.name} on {options.board}")
    yield peak_row(measured_peak_gflops(options.target, options.board), options.target)


def _model_check(options: argparse.Namespace) -> Iterator[Row]:
    rows = check_model(check_cases())
    picture = options.json.with_suffix(".png")
    if draw_model_check(rows, picture):
        print(picture)
    yield from rows


SUITES = {
    "fusion": Suite(
        "the ladder of levels", _ladders, ladder_table, ("model", "input_size", "threads")
    ),
    "layers": Suite(
        "every kernel of a network, against the core's peak",
        _layers,
        _layers_table,
        ("model", "input_size", "threads", "level"),
    ),
    "size": Suite(
        "bytes of the library and of an instance",
        _size,
        size_table,
        ("model", "input_size", "threads"),
    ),
    "memory": Suite(
        "what a process needs, beside other engines", _memory, memory_table, ("model", "input_size")
    ),
    "startup": Suite(
        "from the file to the first answer, beside other engines",
        _startup,
        startup_table,
        ("model", "input_size"),
    ),
    "peers": Suite(
        "other engines, and ours, on a modelled board", _peers, peers_table, ("model", "input_size")
    ),
    "peak": Suite("fused multiply-adds in registers, one core", _peak, peak_table, ()),
    "model-check": Suite(
        "the cycle model against this x86 machine's times", _model_check, model_check_table, ()
    ),
}
ON_THIS_MACHINE = ("memory", "startup", "model-check")
MODELLED = ("fusion", "layers", "peers")
DEFAULTS = {"model": [DEFAULT_MODEL], "input_size": None, "threads": 1, "level": DEFAULT_LEVEL}


def _check_modelled(options: argparse.Namespace) -> None:
    if options.suite not in MODELLED:
        raise BoardError(
            f"{options.suite} has nothing to model; on {options.board}: {', '.join(MODELLED)}"
        )
    if options.target.core.isa != "aarch64":
        raise BoardError(f"board {options.board} is aarch64, target {options.target.name} is not")
    if options.threads != 1:
        raise BoardError(f"board {options.board} models one thread; leave --threads away")


def _is_here(options: argparse.Namespace) -> bool:
    return options.target.is_host and options.board.kind == "local"


def _networks(options: argparse.Namespace) -> Iterator[Network]:
    """The networks asked for, with random weights, each announced when its turn comes."""
    for model in options.model:
        print(f"{options.suite}: {model} for {options.target.name} on {options.board}")
        yield random_network(model, input_size=options.input_size)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    """The resolved options; leaves with exit code 2 where the suite has no use for one."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name, default in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif name not in SUITES[options.suite].options:
            users = " and ".join(suite for suite in SUITES if name in SUITES[suite].options)
            parser.error(
                f"--{name.replace('_', '-')} does not apply to {options.suite}, only to {users}"
            )
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
        help=f"networks to measure, with random weights (default: {DEFAULT_MODEL})",
    )
    add(
        "--input-size",
        type=input_size,
        metavar="N|HxW",
        help="rows and columns of the input (default: as published, 224)",
    )
    add(
        "--level",
        choices=LEVELS,
        help=f"rung of the ladder whose kernels layers times (default: {DEFAULT_LEVEL})",
    )
    add("--threads", type=positive_int, metavar="N", help="default: 1")
    add(
        "--board",
        type=argument(parse_board),
        default="local",
        metavar="BOARD",
        help="local, modelled[:CORE], rpc://HOST:PORT or tracker://HOST:PORT/KEY (default: local)",
    )
    add("--json", type=new_file, required=True, metavar="FILE", help="the report")
    add("--html", type=new_file, metavar="FILE", help="the report as one page to look at")
    return parser


def _print_tables(rows: Sequence[Row]) -> None:
    """A table for each suite and model in `rows`; the whole ladder of all models is one."""
    console = Console(width=None if Console().is_terminal else PLAIN_WIDTH)
    for (suite, _), of_table in itertools.groupby(rows, _table_key):
        console.print(SUITES[suite].table(list(of_table)))


def _table_key(row: Row) -> tuple[str, str | None]:
    return row["suite"], row["model"] if row["suite"] == "layers" else None


if __name__ == "__main__":
    run_command(main)
