"""What each suite of `bench/run.py` makes of the options: its rows, network by network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench.ablation import SEEDS, SHORT_SEEDS, measure_ablation
from bench.accuracy import measure_accuracy
from bench.accuracy_subjects import subjects
from bench.context import weights_hash
from bench.engines import ARM_PEERS, ARM_PEERS_IN, quick_peers, unmeasured_engines
from bench.footprint import measure_memory, measure_startup
from bench.fusion import measure_ladder
from bench.groups import measure_groups
from bench.independent import measure_independently
from bench.layers import measure_layers
from bench.measured_peers import measure_peers_here
from bench.model_check import check_model
from bench.model_check_cases import check_cases
from bench.model_check_report import draw_model_check
from bench.modelled_layers import measure_modelled_layers
from bench.offered_dtypes import offered_dtypes
from bench.paper import BASELINE
from bench.peak import measured_peak, peak_row
from bench.peers import measure_peers
from bench.rows import Row
from bench.sensitivity import measure_int8_by_layer
from bench.size import measure_size
from bench.table8 import TABLE8_PEERS, measure_table8
from bench.threads import measure_threads, model_threads
from bench.tuning import SECONDS, SHORT_SECONDS, measure_spaces
from compile.network import Network
from compile.source import random_network
from compile.targets import with_dtype
from deploy_rpc.emulated_board import board_for
from model.partial_results import partial_of

SHORT_PICTURES = 20  # of each data set of accuracy
SHORT_SCHEDULES = 12  # of each kernel of model-check


def ladders(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield from measure_ladder(
            network, options.target, options.board, options.threads, options.rounds
        )


def layers(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        if options.board.kind == "modelled":
            yield from measure_modelled_layers(
                network, options.level, options.target, options.board, options.threads
            )
            continue
        yield from measure_layers(
            network, options.level, options.target, options.board, options.threads, options.rounds
        )


def size(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield measure_size(network, options.target, options.threads)


def memory(options: argparse.Namespace) -> Iterator[Row]:
    return _beside_started(options, measure_memory)


def startup(options: argparse.Namespace) -> Iterator[Row]:
    return _beside_started(options, measure_startup)


def _beside_started(
    options: argparse.Namespace, measure: Callable[..., tuple[list[Row], dict[str, str]]]
) -> Iterator[Row]:
    """The rows that `measure` makes of each network, ours beside peers that start every round."""
    started = _started(options)
    _name_missing(options, started)
    for network in _networks(options):
        rows, failed = measure(network, options.target, options.rounds, started)
        _name_failed(options, failed)
        yield from rows


def _name_missing(options: argparse.Namespace, peers: Sequence[str]) -> None:
    options.context["not_measured"] |= unmeasured_engines(peers, options.dtype)


def _name_failed(options: argparse.Namespace, failed: Mapping[str, str]) -> None:
    """Says what has no row and why, here and in the report."""
    options.context["not_measured"] |= failed
    for name, reason in failed.items():
        print(f"without {name}: {reason}")


def _started(options: argparse.Namespace) -> tuple[str, ...]:
    """The engines of which every round is a process: in the short form those that start at once."""
    return ARM_PEERS if options.quick else quick_peers()


def peers(options: argparse.Namespace) -> Iterator[Row]:
    modelled = options.board.kind == "modelled"
    _name_missing(options, ARM_PEERS_IN.get(options.dtype, ()) if modelled else options.peers)
    for network in _networks(options):
        rows, failed = (
            measure_peers(network, options.target, options.board)
            if modelled
            else measure_peers_here(network, options.target, options.rounds, options.peers)
        )
        _name_failed(options, failed)
        yield from rows


def table8(options: argparse.Namespace) -> Iterator[Row]:
    modelled = options.board.kind == "modelled"
    _name_missing(options, ARM_PEERS if modelled else TABLE8_PEERS)
    models = list(dict.fromkeys([*options.model, BASELINE]))
    sizes = [options.input_size] if options.input_size else options.sizes
    for size in sizes:
        networks = list(_networks(options, models, size))
        rows, failed = measure_table8(networks, options.target, options.board, options.rounds)
        _name_failed(options, failed)
        yield from rows


def groups(options: argparse.Namespace) -> Iterator[Row]:
    networks = list(_networks(options))
    yield from measure_groups(
        networks, options.level, options.target, options.board, options.rounds
    )


def threads(options: argparse.Namespace) -> Iterator[Row]:
    most = options.threads
    for network in _networks(options):
        if options.board.kind == "modelled":
            yield from model_threads(network, options.level, options.target, options.board, most)
            continue
        yield from measure_threads(
            network, options.level, options.target, options.board, most, options.rounds
        )


def independent(options: argparse.Namespace) -> Iterator[Row]:
    for network in _networks(options):
        yield from measure_independently(network, options.level, options.target, options.rounds)


def peak(options: argparse.Namespace) -> Iterator[Row]:
    print(f"peak: one core of {options.target.name} on {options.board}")
    yield peak_row(measured_peak(options.target, options.board), options.target)


def model_check(options: argparse.Namespace) -> Iterator[Row]:
    rows = check_model(check_cases(SHORT_SCHEDULES) if options.quick else check_cases())
    picture = options.json.with_suffix(".png")
    if draw_model_check(rows, picture):
        print(picture)
    yield from rows


def ablation(options: argparse.Namespace) -> Iterator[Row]:
    seeds = SHORT_SEEDS if options.quick else SEEDS
    revision = options.context["revision"]
    options.leftovers.append(partial_of(options.json))
    yield from measure_ablation(options.target, seeds, options.json, revision)


def accuracy(options: argparse.Namespace) -> Iterator[Row]:
    board = board_for(options.board, options.target.core.name)
    count = SHORT_PICTURES if options.quick else None
    found, missing = subjects(options.weights, options.data, count)
    targets, without = offered_dtypes(options.target, board)
    _name_failed(options, missing | without)
    revision = options.context["revision"]
    for subject in found:
        options.leftovers += [partial_of(options.json, subject.data, dtype) for dtype in targets]
        yield from measure_accuracy(subject, targets, board, options.level, options.json, revision)


def sensitivity(options: argparse.Namespace) -> Iterator[Row]:
    count = SHORT_PICTURES if options.quick else None
    found, missing = subjects(options.weights, options.data, count)
    _name_failed(options, missing)
    for subject in found:
        yield from measure_int8_by_layer(subject, with_dtype(options.target, "int8"), options.board)


def tuning(options: argparse.Namespace) -> Iterator[Row]:
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
