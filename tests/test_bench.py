"""Reports hold what they claim to, and the README's table is made from the committed ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.readme import README, with_results
from compile.lower import LEVELS
from tests.test_build_cli import ROOT


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench/run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def test_the_ladder_is_measured_in_turns_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    result = bench(
        "fusion", "--target", "host", "--model", "shufflenet-0.25x-g3", "--json", str(path)
    )
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(path.read_text())
    assert {"cpu", "cores", "governor", "revision", "versions"} <= report["context"].keys()
    assert [row["level"] for row in report["rows"]] == list(LEVELS)
    for row in report["rows"]:
        assert len(row["samples"]) >= 9
        assert (row["kind"], row["unit"]) == ("measured", "ms")
        assert min(row["samples"]) <= row["median"] <= max(row["samples"])


def test_the_emulated_board_is_no_place_to_measure(tmp_path: Path) -> None:
    result = bench(
        "fusion", "--target", "arm_cpu", "--board", "emulated", "--json", str(tmp_path / "r.json")
    )
    assert result.returncode == 1
    assert "emulated" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_readmes_figures_are_those_of_the_committed_reports() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_results(text) == text, "run `python bench/readme.py`"
