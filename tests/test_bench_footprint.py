"""The suites memory, startup and size: every engine at hand is measured, any other one named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import engines, footprint, run
from bench.engines import Engine
from bench.limited import EngineError
from bench.peer_files import PeerFiles
from bench.rows import ENGINE

SMALL = ("--target", "host", "--model", "shufflenet-0.25x-g1", "--input-size", "32")


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LONG_ROUNDS", 2)


def report_of(suite: str, folder: Path) -> dict:
    report = folder / "report.json"
    run.main([suite, *SMALL, "--json", str(report)])
    return json.loads(report.read_text())


def test_memory_is_of_each_engine_and_of_our_c_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PEERS", {"nobody": ("no_such_package",)})
    rows = report_of("memory", tmp_path)["rows"]
    assert "nobody: not installed: pip install no_such_package" in capsys.readouterr().out
    processes = [row["process"] for row in rows if row["engine"] == ENGINE]
    assert processes == ["Python", footprint.SHARED, footprint.STATIC]
    for row in rows:
        assert (row["unit"], row["kind"], len(row["samples"])) == ("MB", "measured", 2)
        needed = (row["weights_bytes"] + row["workspace_bytes"]) / 1e6
        # a page of the workspace may stay untouched; an interpreter of its own would be more
        assert 0.95 * needed < row["median"] < needed + 10


def test_startup_is_of_ours_and_of_each_peer_that_does_not_fail_which_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "PEERS", {"wrong": ("numpy",), "odd": ("numpy",)})
    monkeypatch.setattr(PeerFiles, "engine", odd_or_wrong)
    report = report_of("startup", tmp_path)
    (row,) = report["rows"]
    assert (row["engine"], row["unit"], len(row["samples"])) == (ENGINE, "ms", 2)
    assert row["median"] > 0
    missing, network = report["context"]["not_measured"], SMALL[3]
    assert missing[f"odd ({network}, 32x32)"] == "no file of it"
    assert missing[f"wrong ({network}, 32x32)"].startswith("wrong failed: KeyError: 'wrong'")
    assert f"without odd ({network}, 32x32): no file of it" in capsys.readouterr().out


def odd_or_wrong(_: PeerFiles, name: str) -> Engine:
    """A peer whose file cannot be made, and one whose process fails: nothing loads it."""
    if name == "odd":
        raise EngineError("no file of it")
    return Engine(name, "its file")


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
