"""The suites of `bench/run.py`: what each measures, of which networks, and how it is shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from bench.ablation import SEEDS, SHORT_SEEDS, ablation_table, measure_ablation, partial_of
from bench.accuracy import measure_accuracy, offered_dtypes, subjects
from bench.accuracy_table import accuracy_tables
from bench.context import weights_hash
from bench.engines import ARM_PEERS, ARM_PEERS_IN, quick_peers, unmeasured_engines
from bench.footprint import measure_memory, measure_startup, memory_table, startup_table
from bench.fusion import ladder_table, measure_ladder
from bench.groups import MODELS as GROUPED_MODELS
from bench.groups import groups_table, measure_groups
from bench.independent import independent_table, measure_independently
from bench.layers import layers_table, measure_layers
from bench.measured_peers import measure_peers_here, measured_peers_table
from bench.model_check import check_model
from bench.model_check_cases import check_cases
from bench.model_check_report import draw_model_check, model_check_table
from bench.modelled_layers import measure_modelled_layers, modelled_layers_table
from bench.paper import BASELINE, TABLE8_MS
from bench.peak import measured_peak, peak_row, peak_table
from bench.peers import measure_peers, peers_table
from bench.rows import Row
from bench.sensitivity import measure_int8_by_layer, sensitivity_tables
from bench.size import measure_size, size_table
from bench.table8 import SIZES, TABLE8_PEERS, measure_table8
from bench.table8_table import table8_table
from bench.threads import measure_threads, model_threads, threads_table
from bench.tuning import SECONDS, SHORT_SECONDS, measure_spaces, spaces_table
from compile.lower import DEFAULT_LEVEL
from compile.network import Network
from compile.source import random_network
from compile.targets import with_dtype
from deploy_rpc.emulated_board import board_for
from model.zoo import DEFAULT_MODEL

SHORT_ROUNDS, LONG_ROUNDS = 9, 21
SHORT_PICTURES = 20  # of each data set of accuracy
SHORT_SCHEDULES = 12  # of each kernel of model-check
DEFAULTS = {
    "model": [DEFAULT_MODEL],
    "input_size": None,
    "threads": 1,
    "level": DEFAULT_LEVEL,
    "dtype": "float32",
    "weights": None,
    "data": None,
}


@dataclass(frozen=True)
class Suite:
    """What `measure` makes of the options; `options` are those that mean something to it.

    `defaults` and, with --quick, `quick` stand before `DEFAULTS`. `boards` are the kinds that it
    runs on; with `host_only`, local is for this machine's own target. `timed` says that its figures
    are times, which the machine's peak is measured around.
    """

    help: str
    measure: Callable[[argparse.Namespace], Iterable[Row]]
    table: Callable[[Sequence[Row]], RenderableType]
    options: tuple[str, ...] = ()
    boards: tuple[str, ...] = ("local",)
    host_only: bool = False
    timed: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)


def _ladders(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield from measure_ladder(
            network, options.target, options.board, options.threads, options.rounds
        )


def _layers(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        if options.board.kind == "modelled":
            yield from measure_modelled_layers(
                network, options.level, options.target, options.board, options.threads
            )
            continue
        yield from measure_layers(
            network, options.level, options.target, options.board, options.threads, options.rounds
        )


def _layers_table(rows: Sequence[Row]) -> Table:
    modelled = rows[-1]["kind"] == "modelled"
    return modelled_layers_table(rows) if modelled else layers_table(rows)


def _size(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield measure_size(network, options.target, options.threads)


def _memory(options: argparse.Namespace) -> Iterator[Row]:
    _name_missing(options, _started(options))
    for network in _networks(options):
        yield from measure_memory(network, options.target, options.rounds, _started(options))


def _startup(options: argparse.Namespace) -> Iterator[Row]:
    _name_missing(options, _started(options))
    for network in _networks(options):
        yield from measure_startup(network, options.target, options.rounds, _started(options))


def _name_missing(options: argparse.Namespace, peers: Sequence[str]) -> None:
    options.context["not_measured"] |= unmeasured_engines(peers, options.dtype)


def _started(options: argparse.Namespace) -> tuple[str, ...]:
    """The engines of which every round is a process: in the short form those that start at once."""
    return ARM_PEERS if options.quick else quick_peers()


def _peers(options: argparse.Namespace) -> Iterator[Row]:
    modelled = options.board.kind == "modelled"
    _name_missing(options, ARM_PEERS_IN.get(options.dtype, ()) if modelled else options.peers)
    for network in _networks(options):
        rows, failed = (
            measure_peers(network, options.target, options.board)
            if modelled
            else measure_peers_here(network, options.target, options.rounds, options.peers)
        )
        options.context["not_measured"] |= failed
        yield from rows


def _peers_table(rows: Sequence[Row]) -> Table:
    return peers_table(rows) if rows[0]["kind"] == "modelled" else measured_peers_table(rows)


def _table8(options: argparse.Namespace) -> Iterator[Row]:
    modelled = options.board.kind == "modelled"
    _name_missing(options, ARM_PEERS if modelled else TABLE8_PEERS)
    models = list(dict.fromkeys([*options.model, BASELINE]))
    sizes = [options.input_size] if options.input_size else options.sizes
    for size in sizes:
        networks = list(_networks(options, models, size))
        rows, failed = measure_table8(networks, options.target, options.board, options.rounds)
        options.context["not_measured"] |= failed
        yield from rows


def _groups(options: argparse.Namespace) -> Iterator[Row]:
    networks = list(_networks(options))
    yield from measure_groups(
        networks, options.level, options.target, options.board, options.rounds
    )


def _threads(options: argparse.Namespace) -> Iterator[Row]:
    most = options.threads
    for network in _networks(options):
        if options.board.kind == "modelled":
            yield from model_threads(network, options.level, options.target, options.board, most)
            continue
        yield from measure_threads(
            network, options.level, options.target, options.board, most, options.rounds
        )


def _independent(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield from measure_independently(network, options.level, options.target, options.rounds)


def _peak(options: argparse.Namespace) -> Iterator[Row]:
    print(f"peak: one core of {options.target.name} on {options.board}")
    yield peak_row(measured_peak(options.target, options.board), options.target)


def _model_check(options: argparse.Namespace) -> Iterator[Row]:
    rows = check_model(check_cases(SHORT_SCHEDULES) if options.quick else check_cases())
    picture = options.json.with_suffix(".png")
    if draw_model_check(rows, picture):
        print(picture)
    yield from rows


def _ablation(options: argparse.Namespace) -> Iterator[Row]:
    seeds = SHORT_SEEDS if options.quick else SEEDS
    revision = options.context["revision"]
    options.leftovers.append(partial_of(options.json))
    yield from measure_ablation(options.target, seeds, options.json, revision)


def _accuracy(options: argparse.Namespace) -> Iterator[Row]:
    board = board_for(options.board, options.target.core.name)
    first = SHORT_PICTURES if options.quick else None
    found, missing = subjects(options.weights, options.data, first)
    targets, without = offered_dtypes(options.target, board)
    options.context["not_measured"] |= missing | without
    for name, reason in (missing | without).items():
        print(f"without {name}: {reason}")
    revision = options.context["revision"]
    for subject in found:
        yield from measure_accuracy(subject, targets, board, options.level, options.json, revision)


def _sensitivity(options: argparse.Namespace) -> Iterator[Row]:
    first = SHORT_PICTURES if options.quick else None
    found, missing = subjects(options.weights, options.data, first)
    options.context["not_measured"] |= missing
    for subject in found:
        yield from measure_int8_by_layer(subject, with_dtype(options.target, "int8"), options.board)


def _tuning(options: argparse.Namespace) -> Iterator[Row]:
    seconds = SHORT_SECONDS if options.quick else SECONDS
    yield from measure_spaces(options.target, options.board, seconds)


def _networks(
    options: argparse.Namespace,
    models: Sequence[str] | None = None,
    input_size: tuple[int, int] | None = None,
) -> Iterator[Network]:
    """The networks asked for, with random weights, each announced when its turn comes."""
    for model in models or options.model:
        print(f"{options.suite}: {model} for {options.target.name} on {options.board}")
        network = random_network(model, input_size=input_size or options.input_size)
        options.context["weights"][model] = weights_hash(network)
        yield network


ANYWHERE = ("local", "rpc", "tracker")
SUITES = {
    "fusion": Suite(
        "the ladder of levels",
        _ladders,
        ladder_table,
        ("model", "input_size", "threads", "dtype"),
        (*ANYWHERE, "modelled"),
    ),
    "layers": Suite(
        "every kernel of a network, against the core's peak",
        _layers,
        _layers_table,
        ("model", "input_size", "threads", "level", "dtype"),
        (*ANYWHERE, "modelled"),
    ),
    "size": Suite(
        "bytes of the library and of an instance",
        _size,
        size_table,
        ("model", "input_size", "threads", "dtype"),
        timed=False,
    ),
    "memory": Suite(
        "what a process needs, beside other engines",
        _memory,
        memory_table,
        ("model", "input_size"),
        host_only=True,
        timed=False,
    ),
    "startup": Suite(
        "from the file to the first answer, beside other engines",
        _startup,
        startup_table,
        ("model", "input_size"),
        host_only=True,
    ),
    "peers": Suite(
        "other engines, and ours, on this machine or a modelled board",
        _peers,
        _peers_table,
        ("model", "input_size", "dtype"),
        ("local", "modelled"),
        host_only=True,
    ),
    "table8": Suite(
        "the paper's mobile table: speedup over AlexNet, each network by its fastest engine",
        _table8,
        table8_table,
        ("model", "input_size"),
        (*ANYWHERE, "modelled"),
        host_only=True,
        defaults={"model": list(TABLE8_MS), "sizes": SIZES},
        quick={"model": ["shufflenet-0.5x-g3", "shufflenet-1.0x-g3"], "sizes": SIZES[:2]},
    ),
    "groups": Suite(
        "the paper's trade-off: 1 to 8 groups at equal complexity",
        _groups,
        groups_table,
        ("model", "input_size", "level"),
        (*ANYWHERE, "modelled"),
        host_only=True,
        defaults={"model": GROUPED_MODELS},
        quick={"model": GROUPED_MODELS[::2]},
    ),
    "threads": Suite(
        "one network on 1 to N threads",
        _threads,
        threads_table,
        ("model", "input_size", "threads", "level"),
        (*ANYWHERE, "modelled"),
        host_only=True,
        defaults={"threads": None},
    ),
    "independent": Suite(
        "ours against ONNX Runtime once more, by C and Python loops that are not the bench's",
        _independent,
        independent_table,
        ("model", "input_size", "level"),
        host_only=True,
    ),
    "peak": Suite("fused multiply-adds in registers, one core", _peak, peak_table, boards=ANYWHERE),
    "model-check": Suite(
        "the cycle model against this x86 machine's times",
        _model_check,
        model_check_table,
        host_only=True,
        timed=False,
    ),
    "ablation": Suite(
        "the paper's ablation, trained on the digits: groups, shuffle and MobileNet at equal MACs",
        _ablation,
        ablation_table,
        host_only=True,
        timed=False,
    ),
    "accuracy": Suite(
        "number formats side by side: classes, logits, and the error of each layer",
        _accuracy,
        accuracy_tables,
        ("level", "weights", "data"),
        (*ANYWHERE, "emulated"),
        timed=False,
    ),
    "sensitivity": Suite(
        "what int8 costs by layer, and what it gains where some layers stay float32",
        _sensitivity,
        sensitivity_tables,
        ("weights", "data"),
        boards=("modelled",),
        timed=False,
    ),
    "tuning": Suite(
        "our templates' spaces against MetaSchedule's own, at equal time",
        _tuning,
        spaces_table,
        boards=("modelled",),
        timed=False,
    ),
}
