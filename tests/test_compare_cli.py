"""`bench/compare.py`: exit 0, 1 for a regression beyond the threshold, 2 for wrong usage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.compare import main
from tests.report_rows import a_row, write_report

FAST = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05]
SLOW = [2 * sample for sample in FAST]


@pytest.fixture
def fast(tmp_path: Path) -> str:
    return write_report(tmp_path / "fast.json", a_row(FAST))


@pytest.fixture
def slow(tmp_path: Path) -> str:
    return write_report(tmp_path / "slow.json", a_row(SLOW), a_row(FAST, level="stock"))


def exit_code(*arguments: str) -> int:
    """Of the command line; 0 where it just returns."""
    try:
        main(list(arguments))
    except SystemExit as exit_:
        return exit_.code
    return 0


def test_a_regression_is_exit_code_1(
    fast: str, slow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(fast, slow) == 1
    told = capsys.readouterr()
    assert "slower, REGRESSION" in told.out
    assert "+100.00%" in told.out
    assert "only in new" in told.out
    assert "1 regression(s) beyond 0.05" in told.err


def test_what_got_faster_or_stayed_is_exit_code_0(fast: str, slow: str) -> None:
    assert exit_code(slow, fast) == 0
    assert exit_code(fast, fast) == 0


def test_the_threshold_is_a_share(fast: str, slow: str, tmp_path: Path) -> None:
    slower = write_report(tmp_path / "slower.json", a_row([1.2 * sample for sample in FAST]))
    assert exit_code(fast, slower) == 1
    assert exit_code(fast, slower, "--threshold", "25%") == 0
    assert exit_code(fast, slower, "--threshold", "0.1") == 1


def test_the_verdicts_are_written_as_json(fast: str, slow: str, tmp_path: Path) -> None:
    path = tmp_path / "verdicts.json"
    assert exit_code(fast, slow, "--json", str(path)) == 1
    verdicts = json.loads(path.read_text())
    assert (verdicts["old"]["file"], verdicts["new"]["file"]) == (fast, slow)
    assert verdicts["adjusted"] == "p_value, for the number of rows (Benjamini-Hochberg)"
    slower, added = verdicts["rows"]
    assert (slower["verdict"], slower["regression"], slower["level"]) == ("slower", True, "fused")
    assert slower["change"] == pytest.approx(1)
    assert (added["verdict"], added["old_median"], added["level"]) == ("only in new", None, "stock")


def test_another_machine_is_warned_of(
    fast: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_report(tmp_path / "other.json", a_row(FAST), cpu="Other CPU")
    assert exit_code(fast, other) == 0
    assert "warning: other cpu: 'Some CPU AVX2' in old, 'Other CPU' in new" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "OLD.json, NEW.json"),
        (("missing.json", "missing.json"), "found nothing at missing.json"),
        (
            ("FAST", "FAST", "--threshold", "200%"),
            "expected a share such as 5% or 0.05, got '200%'",
        ),
        (("FAST", "FAST", "--threshold", "much"), "got 'much'"),
        (("FAST", "FAST", "--json", "no/such/folder/v.json"), "there is no folder no/such/folder"),
        (("FAST", "PEAK"), "have no row in common"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: tuple[str, ...],
    message: str,
    fast: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    peak = write_report(tmp_path / "peak.json", a_row(suite="peak", unit="GFLOP/s"))
    named = {"FAST": fast, "PEAK": peak}
    assert exit_code(*(named.get(word, word) for word in arguments)) == 2
    assert message in " ".join(capsys.readouterr().err.split())
