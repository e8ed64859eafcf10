"""The paper's mobile table (Table 8) again: each network by the fastest engine at hand.

The paper compares ShuffleNets with AlexNet, all by one engine. Here AlexNet may have another engine
than a ShuffleNet, so that the ratio says what the network gains and not what an engine loses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from bench.interval import median_interval
from bench.measured_peers import engine_entries, entry_row, our_rungs, peer_row
from bench.our_networks import time_ours
from bench.paper import BASELINE, SPEEDUP_GOALS, paper_ms, paper_speedup
from bench.peer_files import of_network
from bench.peers import measure_peers
from bench.rows import ENGINE, Row
from bench.turns import Entry, time_in_turns
from compile.lower import Lowered
from compile.network import Network
from compile.targets import CompileTarget
from deploy_rpc.board_spec import BoardSpec

SIZES = ((224, 224), (480, 640), (720, 1280))
TABLE8_PEERS = ("onnxruntime", "ncnn", "mnn", "litert", "openvino")  # PyTorch is never the fastest


def measure_table8(
    networks: Sequence[Network],
    target: CompileTarget,
    board: BoardSpec,
    rounds: int,
    engines: Collection[str] = TABLE8_PEERS,
) -> tuple[list[Row], dict[str, str]]:
    """A row for each engine of each of `networks`, which are of one size and have an AlexNet.

    All are timed in one interleaved run; on a board over RPC with our engine alone. With the rows
    comes why an engine of a network has none.
    """
    if board.kind == "modelled":
        rows, failed = [], {}
        for network in networks:
            measured, missing = measure_peers(network, target, board)
            rows += measured
            failed |= missing
        return with_speedups(rows), failed
    rungs = [rung for network in networks for rung in our_rungs(network, target)]
    if board.kind == "local":
        rows, failed = _measure_here(rungs, target, rounds, engines)
        return with_speedups(rows), failed
    named = {f"{rung.network.name} {rung.level}": rung for rung in rungs}
    timings = time_ours(named, board, rounds)
    rows = [
        peer_row(named[name].network, ENGINE, named[name].level, target, timing, named[name].macs)
        for name, timing in timings.items()
    ]
    return with_speedups(rows), {}


def _measure_here(
    rungs: Sequence[Lowered], target: CompileTarget, rounds: int, engines: Collection[str]
) -> tuple[list[Row], dict[str, str]]:
    entries: dict[str, Entry] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="table8-") as name:
        for model in dict.fromkeys(rung.network.name for rung in rungs):
            folder = Path(name) / model
            folder.mkdir()
            of_model = [rung for rung in rungs if rung.network.name == model]
            made, missing = engine_entries(of_model[0].network, of_model, engines, folder)
            entries |= {f"{model} {key}": entry for key, entry in made.items()}
            failed |= missing
        timings, refused = time_in_turns(entries, rounds)
    for key, why in refused.items():
        failed[of_network(entries[key].engine.name, entries[key].network)] = why
    macs = {rung.network.name: rung.macs for rung in rungs}
    rows = [
        entry_row(entries[key], target, timing, macs[entries[key].network.name])
        for key, timing in timings.items()
    ]
    return rows, failed


def with_speedups(rows: Iterable[Row]) -> list[Row]:
    """`rows` of one size as those of this suite; the fastest of each model is compared.

    It gets `speedup_over_alexnet`, with the interval of the rounds' own ratios, and beside it what
    the MACs alone would give and what the paper has.
    """
    rows = [row | {"suite": "table8", "fastest": False} for row in rows]
    models = dict.fromkeys(row["model"] for row in rows)
    fastest = {
        model: min((row for row in rows if row["model"] == model), key=lambda row: row["median"])
        for model in models
    }
    alexnet = fastest[BASELINE]
    for model, row in fastest.items():
        ratios = [a / b for a, b in zip(alexnet["samples"], row["samples"], strict=True)]
        speedup = alexnet["median"] / row["median"]
        row |= {
            "fastest": True,
            "speedup_over_alexnet": speedup,
            "speedup_interval": median_interval(ratios),
            "speedup_by_macs": alexnet["macs"] / row["macs"],
        }
        if paper := paper_speedup(model, row["input"]):
            row |= {"paper_ms": paper_ms(model, row["input"]), "paper_speedup": paper}
        if goal := SPEEDUP_GOALS.get((model, row["input"])):
            row |= {"goal": goal, "goal_met": speedup >= goal}
    return rows
