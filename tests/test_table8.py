"""Table 8: the fastest engine of each network counts, beside the paper's figures and the goals."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bench.engines import PEERS, Engine
from bench.paper import BASELINE, SPEEDUP_GOALS, TABLE8_MS, paper_speedup
from bench.peer_files import PeerFiles
from bench.rows import ENGINE
from bench.run import main
from bench.suites import SUITES
from bench.table8 import SIZES, measure_table8, with_speedups
from bench.table8_table import table8_table
from compile.network import Network
from compile.targets import host_target
from deploy_rpc.board_spec import parse_board
from tests.small_networks import small_network


def a_row(model: str, engine: str, samples: list[float], **more: object) -> dict[str, Any]:
    row = {"suite": "peers", "model": model, "engine": engine, "input": "224x224", "level": None}
    row |= {"kind": "measured", "unit": "ms", "core": "c", "threads": 1, "samples": samples}
    return row | {"median": sorted(samples)[len(samples) // 2], "macs": 100} | more


def named(model: str, **_: object) -> Network:
    """A network of a few layers in place of `model`."""
    return dataclasses.replace(small_network(), name=model)


def test_each_network_counts_by_its_fastest_engine() -> None:
    rows = with_speedups(
        [
            a_row("shufflenet-0.5x-g3", "slow", [4.0] * 9, macs=10),
            a_row("shufflenet-0.5x-g3", "quick", [2.0] * 8 + [4.0], macs=10),
            a_row(BASELINE, "slow", [70.0] * 9),
            a_row(BASELINE, "quick", [60.0] * 9),
        ]
    )
    assert [row["fastest"] for row in rows] == [False, True, False, True]
    assert {row["suite"] for row in rows} == {"table8"}
    ours = rows[1]
    assert (ours["speedup_over_alexnet"], ours["speedup_by_macs"]) == (30, 10)
    assert ours["speedup_interval"] == [30, 30]
    assert ours["paper_speedup"] == pytest.approx(12.1, abs=0.05)
    assert (ours["goal"], ours["goal_met"]) == (25, True)
    assert rows[3]["speedup_over_alexnet"] == 1
    assert "goal" not in rows[3]
    assert table8_table(rows).row_count == 2


def test_a_goal_that_is_missed_is_shown_as_missed() -> None:
    rows = with_speedups(
        [a_row("shufflenet-0.5x-g3", "quick", [2.0] * 9), a_row(BASELINE, "quick", [48.0] * 9)]
    )
    goals = list(table8_table(rows).columns[-1].cells)
    assert goals == [">= 25: missed", "-"]


def test_the_suite_measures_what_the_paper_has() -> None:
    suite = SUITES["table8"]
    assert suite.defaults["model"] == list(TABLE8_MS)
    assert {f"{height}x{width}" for height, width in SIZES} >= {size for _, size in SPEEDUP_GOALS}
    headline = paper_speedup("shufflenet-0.5x-g3", "480x640")
    assert headline == pytest.approx(13.2, abs=0.05)  # "13x actual" in the paper's abstract


def test_all_networks_and_engines_are_measured_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "nobody", ("no_such_package",))
    networks = [named("shufflenet-0.25x-g1"), named(BASELINE)]
    here = parse_board("local")
    rows, failed = measure_table8(networks, host_target(), here, rounds=9, engines=["nobody"])
    assert [(row["model"], row["engine"]) for row in rows] == [
        ("shufflenet-0.25x-g1", ENGINE),
        (BASELINE, ENGINE),
    ]
    assert all(row["fastest"] and len(row["samples"]) == 9 for row in rows)
    assert failed == {"nobody": "not installed: pip install no_such_package"}


def test_an_engine_that_fails_at_one_network_and_input_is_named_with_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PEERS, "broken", ("numpy",))
    monkeypatch.setattr(PeerFiles, "engine", lambda _, name: Engine(name, "no.file"))
    networks = [named("shufflenet-0.25x-g1"), named(BASELINE)]
    here = parse_board("local")
    rows, failed = measure_table8(networks, host_target(), here, rounds=9, engines=["broken"])
    assert [row["engine"] for row in rows] == [ENGINE, ENGINE]
    height, width = networks[0].input_shape[2:]
    assert failed == dict.fromkeys(
        [f"broken ({each.name}, {height}x{width})" for each in networks],
        "broken failed: KeyError: 'broken'",
    )


def test_the_alexnet_that_the_others_are_compared_with_is_never_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def measure(networks: list, *_: object) -> tuple[list, dict]:
        asked.extend(network.name for network in networks)
        rows = [a_row(network.name, ENGINE, [1.0] * 9, interval=[1, 1]) for network in networks]
        return with_speedups(rows), {"mnn": "not installed"}

    monkeypatch.setattr("bench.suite_runs.measure_table8", measure)
    monkeypatch.setattr("bench.suite_runs.random_network", named)
    path = tmp_path / "r.json"
    options = ("--model", "shufflenet-0.25x-g1", "--input-size", "224", "--json", str(path))
    main(["table8", "--target", "host", *options])
    assert asked == ["shufflenet-0.25x-g1", BASELINE]
    assert json.loads(path.read_text())["context"]["not_measured"]["mnn"] == "not installed"
