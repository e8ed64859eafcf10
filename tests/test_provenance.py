"""A report says what command made it, and marks what nobody else can check out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.provenance import REPOSITORY, command_line, revision
from bench.reports import OWN, with_kept_rows
from tests.report_rows import CONTEXT, a_row


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a commit of one file in each of the places that matter."""
    for name in ("bench/run.py", "bench/results/host/peers.json", "README.md", "docs/results.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("committed\n")
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "all")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_reports_and_pages_written_anew_do_not_make_a_revision_dirty(checkout: Path) -> None:
    clean = revision(checkout)
    assert len(clean) == 12
    for name in ("bench/results/host/peers.json", "README.md", "docs/results.md", "fusion.json"):
        (checkout / name).write_text("made anew\n")
    assert revision(checkout) == clean


@pytest.mark.parametrize("name", ["bench/run.py", "bench/new.py", "tuning_logs/host/new.json"])
def test_changed_and_added_code_makes_it_dirty(checkout: Path, name: str) -> None:
    clean = revision(checkout)
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("changed\n")
    assert revision(checkout) == f"{clean}-dirty"


def test_outside_a_checkout_and_without_git_the_revision_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert revision(tmp_path) == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision(REPOSITORY) == "unknown"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("shufflenet-1.0x-g3", "shufflenet-1.0x-g3"),
        ("rpc://board:9090", "rpc://board:9090"),
        ("bench/results/host/peers.json", "bench/results/host/peers.json"),
        (f"{REPOSITORY}/bench/results/host/peers.json", "bench/results/host/peers.json"),
        ("/home/somebody/pictures", "pictures"),
        ("--data=/home/somebody/pictures", "--data=pictures"),
        ("../../pictures", "pictures"),
        ("two words", "'two words'"),
    ],
)
def test_a_command_is_told_without_the_folders_of_this_machine(word: str, told: str) -> None:
    assert command_line("bench/run.py", ["peers", word]) == f"python bench/run.py peers {told}"


def test_rows_made_bit_by_bit_have_each_its_own_command(tmp_path: Path) -> None:
    made = CONTEXT | {"command": "python bench/numerics.py --json report.json"}
    (row,) = with_kept_rows(tmp_path / "none.json", [a_row()], made, ("model",))
    assert {name: row[name] for name in OWN} == {name: made[name] for name in OWN}
