"""The command that judges every build tells largest errors, goes on, and ends at a wrong answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from bench import numerics
from bench.numerics import NumericsError, check_rows, numerics_table
from bench.reports import read_report

MODEL = "shufflenet-0.25x-g3"
WORDS = ["--model", MODEL, "--input-size", "32", "--level", "fused", "--threads", "1", "2"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("numerics") / "report.json"
    numerics.main([*WORDS, "--json", str(path)])
    return path


def test_each_number_of_threads_has_an_error_and_the_same_bits(report: Path) -> None:
    one, two = read_report(str(report)).rows
    assert (one["model"], one["input"], one["level"]) == (MODEL, "32x32", "fused")
    assert (one["threads"], two["threads"]) == (1, 2)
    assert one["samples"] == two["samples"]
    assert 0 < max(one["samples"]) < 1e-4
    assert one["same_bits"]
    assert two["same_bits"]


def test_what_the_report_has_is_not_built_again(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(numerics, "lower")
    before = report.read_bytes()
    numerics.main([*WORDS, "--json", str(report)])
    assert report.read_bytes() == before


def test_a_table_names_the_worst_build(report: Path) -> None:
    row, _ = read_report(str(report)).rows
    worse = row | {"model": "alexnet", "samples": [9e-5, 0.0]}
    console = Console(width=140)
    with console.capture() as shown:
        console.print(numerics_table([row, worse]))
    assert "9.0e-05" in shown.get()
    assert "alexnet, 32x32" in shown.get()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"samples": [0.0, 2e-4]}, r"shufflenet-0.25x-g3 .* 2\.0e-04 of the logits' range"),
        ({"same_bits": False}, "other bits than on 1 thread"),
    ],
)
def test_a_wrong_answer_ends_it(report: Path, wrong: dict[str, object], words: str) -> None:
    row, _ = read_report(str(report)).rows
    with pytest.raises(NumericsError, match=words):
        check_rows([row, row | wrong])
