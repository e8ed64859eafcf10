"""The command that judges every build tells largest errors, goes on, and ends at a wrong answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from bench import context, numerics
from bench.numerics import NumericsError, check_rows, numerics_table
from bench.reports import read_report

COMMIT = "0123456789ab"
MODEL = "shufflenet-0.25x-g3"
WORDS = ["--model", MODEL, "--input-size", "32", "--level", "fused", "--threads", "1", "2"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("numerics") / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "revision", lambda: COMMIT)
        numerics.main([*WORDS, "--json", str(path)])
    return path


def test_each_number_of_threads_has_an_error_and_the_same_bits(report: Path) -> None:
    one, two = read_report(str(report)).rows
    assert (one["model"], one["input"], one["level"]) == (MODEL, "32x32", "fused")
    assert (one["threads"], two["threads"]) == (1, 2)
    command = f"python bench/numerics.py {' '.join(WORDS)} --json report.json"
    assert one["command"] == two["command"] == command
    assert one["samples"] == two["samples"]
    assert 0 < max(one["samples"]) < 1e-4
    assert one["same_bits"]
    assert two["same_bits"]


def test_what_the_report_has_is_not_built_again(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(numerics, "lower")
    monkeypatch.setattr(context, "revision", lambda: COMMIT)
    before = report.read_bytes()
    numerics.main([*WORDS, "--json", str(report)])
    assert report.read_bytes() == before


@pytest.mark.parametrize("revision", ["fedcba987654", f"{COMMIT}-dirty", "unknown"])
def test_what_other_or_uncommitted_code_made_is_built_again(
    revision: str, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text(report.read_text().replace(COMMIT, revision))
    now = COMMIT if revision == "fedcba987654" else revision
    monkeypatch.setattr(context, "revision", lambda: now)
    monkeypatch.setattr(numerics, "_rows", lambda *_: pytest.fail("built again"))
    with pytest.raises(pytest.fail.Exception, match="built again"):
        numerics.main([*WORDS, "--json", str(path)])


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
        ({"samples": [0.0, float("nan")]}, "nan of the logits' range"),
        ({"same_bits": False}, "other bits than on 1 thread"),
    ],
)
def test_a_wrong_answer_ends_it(report: Path, wrong: dict[str, object], words: str) -> None:
    row, _ = read_report(str(report)).rows
    with pytest.raises(NumericsError, match=words):
        check_rows([row, row | wrong])
