"""The suites memory, startup and size: every engine at hand is measured, any other one named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import engines, footprint, run
from bench.engines import EngineError, check_output, missing_engines
from bench.rows import ENGINE
from compile.source import random_network

SMALL = ("--target", "host", "--model", "shufflenet-0.25x-g1", "--input-size", "32")


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LONG_ROUNDS", 2)


def rows_of(suite: str, folder: Path) -> list[dict]:
    report = folder / "report.json"
    run.main([suite, *SMALL, "--json", str(report)])
    return json.loads(report.read_text())["rows"]


def test_memory_is_of_each_engine_and_of_our_c_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PEERS", {"nobody": ("no_such_package",)})
    rows = rows_of("memory", tmp_path)
    assert "nobody: not installed: pip install no_such_package" in capsys.readouterr().out
    processes = [row["process"] for row in rows if row["engine"] == ENGINE]
    assert processes == ["Python", footprint.SHARED, footprint.STATIC]
    for row in rows:
        assert (row["unit"], row["kind"], len(row["samples"])) == ("MB", "measured", 2)
        needed = (row["weights_bytes"] + row["workspace_bytes"]) / 1e6
        assert needed < row["median"] < needed + 10  # an interpreter of its own would be more


def test_startup_is_of_each_engine_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PEERS", {})
    (row,) = rows_of("startup", tmp_path)
    assert (row["engine"], row["unit"], len(row["samples"])) == (ENGINE, "ms", 2)
    assert row["median"] > 0


def test_an_engine_that_answers_something_else_is_refused() -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    expected = network.reference(network.example_input())
    check_output("right", network, expected + np.float32(1e-6), expected)
    with pytest.raises(EngineError, match="answers wrong"):
        check_output("wrong", network, np.zeros_like(expected), expected)
    with pytest.raises(EngineError, match="answers wrong"):
        check_output("nothing", network, np.full_like(expected, np.nan), expected)


def test_missing_engines_come_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    assert missing_engines() == {
        "onnxruntime": "not installed: pip install onnxruntime",
        "ncnn": "not installed: pip install ncnn pnnx",
        "mnn": "not installed: pip install MNN",
        "litert": "not installed: pip install ai_edge_litert litert_quantizer",
        "openvino": "not installed: pip install openvino",
        "pytorch": "not installed: pip install torch",
        "pytorch-compile": "not installed: pip install torch",
    }


def test_another_machine_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(["memory", "--target", "arm_cpu", "--json", str(tmp_path / "r.json")])
    assert "measured on this machine only" in capsys.readouterr().err


def test_sizes_are_those_of_the_library_and_of_an_instance(tmp_path: Path) -> None:
    report = tmp_path / "size.json"
    small = ("--target", "arm_cpu", "--model", "shufflenet-0.25x-g1", "--input-size", "32")
    run.main(["size", *small, "--json", str(report)])
    (row,) = json.loads(report.read_text())["rows"]
    assert (row["suite"], row["unit"], row["target"]) == ("size", "bytes", "arm_cpu")
    assert 0 < row["median"] - row["weights_bytes"] < 150_000
    least, activations = row["activation_bytes_lower_bound"], row["activation_bytes"]
    assert least <= activations <= 1.1 * least
    assert activations < row["workspace_bytes"] < activations + 4096
