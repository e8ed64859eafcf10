"""Peers on this machine: every one that is installed answers right, every other one is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.engines import PEERS, missing_engines, quick_peers
from bench.measured_peers import measure_peers_here
from bench.rows import ENGINE
from bench.run import main
from compile.source import random_network
from compile.targets import host_target, with_dtype

SMALL = ("--model", "shufflenet-0.25x-g1", "--input-size", "32", "--quick")


def test_every_engine_has_a_row_and_is_compared_with_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PEERS, "nobody", ("no_such_package",))
    path = tmp_path / "peers.json"
    main(["peers", "--target", "host", *SMALL, "--json", str(path)])
    report, told = json.loads(path.read_text()), capfd.readouterr().out
    context, rows = report["context"], report["rows"]
    missing = missing_engines()
    assert rows[0]["engine"] == ENGINE
    assert {row["engine"] for row in rows} == {ENGINE, *quick_peers()} - missing.keys()
    for row in rows:
        assert (row["kind"], row["unit"], len(row["samples"])) == ("measured", "ms", 9)
        assert row["interval"][0] <= row["median"] <= row["interval"][1]
        assert row["memory_bytes"] > 0
    assert "not installed: pip install no_such_package" in context["not_measured"]["nobody"]
    assert "without nobody: not installed" in told
    assert context["not_measured"]["pytorch-compile"] == "left out of this run"
    assert len(context["weights"]["shufflenet-0.25x-g1"]) == 16
    assert context["machine"]["bandwidth"]["median"] > 0
    assert context["engines"].keys() == PEERS.keys() - missing.keys()


def test_peers_of_int8_are_made_int8_and_correlate_with_float32() -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    target = with_dtype(host_target(), "int8")
    rows, failed = measure_peers_here(network, target, 3, ("onnxruntime",))
    assert not failed
    assert [row["engine"] for row in rows] == [ENGINE, "onnxruntime"]
    for row in rows:
        assert row["target"] == "host-int8"
        assert 0.9 <= row["correlation"] < 1


def test_a_board_without_the_engines_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--board", "rpc://127.0.0.1:1", "--json", str(tmp_path / "r.json"))
    with pytest.raises(SystemExit, match="2"):
        main(["peers", "--target", "arm_cpu", *where])
    told = " ".join(capsys.readouterr().err.split())
    assert "peers runs on local, modelled; on rpc://127.0.0.1:1 there are: fusion, layers" in told
