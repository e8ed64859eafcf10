"""The suites of `bench/run.py`: which options each has, where it runs, and how it is shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from bench import suite_runs as runs
from bench.ablation import SEEDS, SHORT_SEEDS, ablation_table
from bench.accuracy_table import accuracy_tables
from bench.committed_reports import committed_report
from bench.engines import ARM_PEERS
from bench.footprint_table import memory_table, startup_table
from bench.fusion import ladder_table
from bench.groups import MODELS as GROUPED_MODELS
from bench.groups import groups_table
from bench.independent import independent_table
from bench.layers import layers_table
from bench.measured_peers import measured_peers_table
from bench.model_check_cases import SCHEDULES
from bench.model_check_report import model_check_table
from bench.modelled_layers import modelled_layers_table
from bench.paper import TABLE8_MS
from bench.peak import peak_table
from bench.peers import peers_table
from bench.published_times import published_table
from bench.rows import Row
from bench.sensitivity import sensitivity_tables
from bench.size import size_table
from bench.table8 import SIZES
from bench.table8_table import table8_table
from bench.threads import threads_table
from bench.tuning import SECONDS, SHORT_SECONDS, spaces_table
from compile.lower import DEFAULT_LEVEL
from model.zoo import DEFAULT_MODEL

SHORT_ROUNDS, LONG_ROUNDS = 9, 21
FEWER_ROUNDS = f"short form: {SHORT_ROUNDS} rounds where it measures, not {LONG_ROUNDS}"
FEWER_PICTURES = f"short form: {runs.SHORT_PICTURES} pictures of all classes"
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
    are times, which the machine's peak is measured around. `short_form` says what --quick leaves
    out.
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
    short_form: str = FEWER_ROUNDS


def _layers_table(rows: Sequence[Row]) -> Table:
    modelled = rows[-1]["kind"] == "modelled"
    return modelled_layers_table(rows) if modelled else layers_table(rows)


def _peers_table(rows: Sequence[Row]) -> Table:
    return peers_table(rows) if rows[0]["kind"] == "modelled" else measured_peers_table(rows)


def _model_check_tables(rows: Sequence[Row]) -> Group:
    """And how far the model is from real A72 boards, by what ncnn's authors publish of them."""
    peers = committed_report("peers", "cortex-a72")
    return Group(model_check_table(rows), published_table(peers.rows, peers.name))


ANYWHERE = ("local", "rpc", "tracker")
SUITES = {
    "fusion": Suite(
        "the ladder of levels",
        runs.ladders,
        ladder_table,
        ("model", "input_size", "threads", "dtype"),
        (*ANYWHERE, "modelled"),
    ),
    "layers": Suite(
        "every kernel of a network, against the core's peak",
        runs.layers,
        _layers_table,
        ("model", "input_size", "threads", "level", "dtype"),
        (*ANYWHERE, "modelled"),
    ),
    "size": Suite(
        "bytes of the library and of an instance",
        runs.size,
        size_table,
        ("model", "input_size", "threads", "dtype"),
        timed=False,
        short_form="",
    ),
    "memory": Suite(
        "what a process needs, beside other engines",
        runs.memory,
        memory_table,
        ("model", "input_size"),
        host_only=True,
        timed=False,
        short_form=f"{FEWER_ROUNDS}, only beside {', '.join(ARM_PEERS)}",
    ),
    "startup": Suite(
        "from the file to the first answer, beside other engines",
        runs.startup,
        startup_table,
        ("model", "input_size"),
        host_only=True,
        short_form=f"{FEWER_ROUNDS}, only beside {', '.join(ARM_PEERS)}",
    ),
    "peers": Suite(
        "other engines, and ours, on this machine or a modelled board",
        runs.peers,
        _peers_table,
        ("model", "input_size", "dtype"),
        ("local", "modelled"),
        host_only=True,
        short_form=f"{FEWER_ROUNDS}, without pytorch-compile",
    ),
    "table8": Suite(
        "the paper's mobile table: speedup over AlexNet, each network by its fastest engine",
        runs.table8,
        table8_table,
        ("model", "input_size"),
        (*ANYWHERE, "modelled"),
        host_only=True,
        defaults={"model": list(TABLE8_MS), "sizes": SIZES},
        quick={"model": ["shufflenet-0.5x-g3"], "sizes": SIZES[:2]},
        short_form=f"{FEWER_ROUNDS}, fewer networks and sizes",
    ),
    "groups": Suite(
        "the paper's trade-off: 1 to 8 groups at equal complexity",
        runs.groups,
        groups_table,
        ("model", "input_size", "level"),
        (*ANYWHERE, "modelled"),
        host_only=True,
        defaults={"model": GROUPED_MODELS},
        quick={"model": GROUPED_MODELS[::2]},
        short_form=f"{FEWER_ROUNDS}, fewer networks",
    ),
    "threads": Suite(
        "one network on 1 to N threads",
        runs.threads,
        threads_table,
        ("model", "input_size", "threads", "level"),
        (*ANYWHERE, "modelled"),
        host_only=True,
        defaults={"threads": None},
    ),
    "independent": Suite(
        "ours against ONNX Runtime once more, by C and Python loops that are not the bench's",
        runs.independent,
        independent_table,
        ("model", "input_size", "level"),
        host_only=True,
    ),
    "peak": Suite(
        "fused multiply-adds in registers, one core",
        runs.peak,
        peak_table,
        boards=ANYWHERE,
        short_form="",
    ),
    "model-check": Suite(
        "the cycle model against this x86 machine's times",
        runs.model_check,
        _model_check_tables,
        host_only=True,
        timed=False,
        short_form=f"short form: {runs.SHORT_SCHEDULES} schedules of {SCHEDULES} for a kernel",
    ),
    "ablation": Suite(
        "the paper's ablation, trained on the digits: groups, shuffle and MobileNet at equal MACs",
        runs.ablation,
        ablation_table,
        host_only=True,
        timed=False,
        short_form=f"short form: {SHORT_SEEDS} seeds of {SEEDS}",
    ),
    "accuracy": Suite(
        "number formats side by side: classes, logits, and the error of each layer",
        runs.accuracy,
        accuracy_tables,
        ("level", "weights", "data"),
        (*ANYWHERE, "emulated"),
        timed=False,
        short_form=FEWER_PICTURES,
    ),
    "sensitivity": Suite(
        "what int8 costs by layer, and what it gains where some layers stay float32",
        runs.sensitivity,
        sensitivity_tables,
        ("weights", "data"),
        boards=("modelled",),
        timed=False,
        short_form=FEWER_PICTURES,
    ),
    "tuning": Suite(
        "our templates' spaces against MetaSchedule's own, at equal time",
        runs.tuning,
        spaces_table,
        boards=("modelled",),
        timed=False,
        short_form=f"short form: {SHORT_SECONDS} s of {SECONDS} for a search",
    ),
}
