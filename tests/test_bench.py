"""Reports hold what they claim to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bench.run import main
from bench.suites import SHORT_ROUNDS
from compile.lower import LEVELS
from tests.programs import run_main

# fmt: off
CONTRACT = {
    "suite", "model", "input", "engine", "level", "target", "core", "threads", "kind", "unit",
    "median", "samples",
}
# fmt: on


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_main(main, *arguments)


def test_the_ladder_is_measured_in_turns_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    words = ("--target", "host", "--model", "shufflenet-0.25x-g3", "--input-size", "32", "--quick")
    result = bench("fusion", *words, "--json", str(path))
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(path.read_text())
    assert report["context"]["command"] == (
        f"python bench/run.py fusion {' '.join(words)} --json report.json"
    )
    assert {"cpu", "cores", "governor", "revision", "versions"} <= report["context"].keys()
    levels = [row["level"] for row in report["rows"]]
    assert levels == list(LEVELS[: len(levels)])
    assert levels[-1] in ("fused", "tuned")  # as there are records of this machine's core
    for row in report["rows"]:
        assert len(row["samples"]) == SHORT_ROUNDS
        assert (row["kind"], row["unit"]) == ("measured", "ms")
        assert min(row["samples"]) <= row["median"] <= max(row["samples"])
    assert report["rows"][-1]["calls_per_sample"] > 1, "one inference takes far less than a sample"


def test_the_emulated_board_is_no_place_to_measure(tmp_path: Path) -> None:
    result = bench(
        "fusion", "--target", "arm_cpu", "--board", "emulated", "--json", str(tmp_path / "r.json")
    )
    assert result.returncode == 2
    assert "emulated" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_kernels_of_a_network_are_reported_against_the_peak(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    arguments = ("--model", "shufflenet-0.25x-g3", "--input-size", "32", "--level", "unfused")
    result = bench("layers", "--target", "host", *arguments, "--quick", "--json", str(path))
    assert result.returncode == 0, result.stdout + result.stderr
    peak, *kernels, total = json.loads(path.read_text())["rows"]
    assert (peak["suite"], peak["unit"]) == ("peak", "GFLOP/s")
    for row in (*kernels, total):
        assert row.keys() >= CONTRACT
        assert (row["model"], row["input"], row["level"]) == (
            "shufflenet-0.25x-g3",
            "32x32",
            "unfused",
        )
        assert row["kernel"] in result.stdout
    assert "FMA loop: peak of one core" in result.stdout
    assert result.stdout.rstrip().endswith(str(path))


def test_the_peak_is_reported_without_a_model(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    result = bench("peak", "--target", "host", "--json", str(path))
    assert result.returncode == 0, result.stdout + result.stderr
    (row,) = json.loads(path.read_text())["rows"]
    assert row.keys() >= CONTRACT
    assert (row["model"], row["input"], row["level"], row["threads"]) == (None, None, None, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("laiers",), "invalid choice: 'laiers'"),
        (("peak", "--model", "alexnet"), "--model does not apply to peak, only to fusion and"),
        (("peak", "--threads", "2"), "--threads does not apply to peak"),
        (("fusion", "--level", "fused"), "--level does not apply to fusion, only to layers"),
        (
            ("threads", "--target", "cortex-a72", "--board", "modelled"),
            "name --threads N, or a board",
        ),
        (("layers", "--data", "."), "--data does not apply to layers, only to accuracy"),
        (("layers", "--level", "tuned2"), "invalid choice: 'tuned2'"),
        (("layers", "--input-size", "7"), "expected N or HxW"),
        (("layers", "--model", "resnet"), "unknown model 'resnet'"),
        (("layers", "--json", "no/such/folder/report.json"), "there is no folder no/such/folder"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_a_usage_error(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    suite, *options = arguments
    with pytest.raises(SystemExit) as exit_:
        main([suite, "--target", "host", "--json", str(tmp_path / "r.json"), *options])
    assert exit_.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
