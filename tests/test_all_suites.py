"""All suites in one go: what fails costs no other's report, and what is there is not made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import all_suites
from bench.all_suites import SUITES, Pace, main
from bench.suites import SUITES as KNOWN
from tests.report_rows import a_row

REVISION = "0123456789ab"
# In place of `bench/run.py`: a report of one row, or the exit code and the words that are given.
RUN = """import json, sys
suite, path = sys.argv[1], sys.argv[-1]
print("measuring")
if suite in {failing!r}:
    sys.exit("error: no QEMU here")
row = {row!r} | {{"suite": suite}}
context = {{"revision": {revision!r}, "command": " ".join(["python bench/run.py", *sys.argv[1:]])}}
json.dump({{"context": context, "rows": [row]}}, open(path, "w"))
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With three suites, of committed code, and a program in place of theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(all_suites, "RUN", tmp_path / "run.py")
    monkeypatch.setattr(all_suites, "SUITES", {"size": 20, "peak": 10, "threads": 5})
    monkeypatch.setattr(all_suites, "revision", lambda: REVISION)
    monkeypatch.setattr(all_suites, "not_measurable", dict)
    suites_fail()


def suites_fail(*failing: str) -> None:
    text = RUN.format(failing=failing, row=a_row(), revision=REVISION)
    Path("run.py").write_text(text, encoding="utf-8")


def test_every_suite_has_a_report_and_a_log_and_is_on_the_page() -> None:
    main(["--out", "made/here"])
    out = Path("made/here")
    names = {f"{suite}.{ending}" for suite in all_suites.SUITES for ending in ("json", "log")}
    assert {path.name for path in out.iterdir()} == {*names, "index.html"}
    assert (out / "peak.log").read_text() == "measuring\n"
    page = (out / "index.html").read_text(encoding="utf-8")
    assert all(f'<section id="{suite}">' in page for suite in all_suites.SUITES)


def test_a_suite_that_fails_is_named_and_the_others_are_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    suites_fail("size")
    with pytest.raises(SystemExit, match="1"):
        main(["--out", "out"])
    assert "size: error: no QEMU here; see out/size.log" in capsys.readouterr().err
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert "<code>size</code>: not on this page: it failed: error: no QEMU here" in page
    assert '<section id="threads">' in page
    assert not Path("out/size.json").exists()


def test_a_suite_without_its_tools_is_named_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(all_suites, "not_measurable", lambda: {"peak": "no QEMU"})
    main(["--out", "out"])
    assert "without peak: no QEMU" in capsys.readouterr().out
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert "<code>peak</code>: not on this page: no QEMU." in page
    assert not Path("out/peak.json").exists()


def test_an_older_report_does_not_stand_for_a_suite_that_fails() -> None:
    main(["--out", "out"])
    suites_fail("size", "peak", "threads")
    with pytest.raises(SystemExit, match="1"):
        main(["--out", "out"])
    assert not [path for path in Path("out").iterdir() if path.suffix != ".log"]


def test_a_report_without_rows_is_a_failure_of_its_suite(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = Path("run.py").read_text().replace('"rows": [row]', '"rows": [row] * (suite != "size")')
    Path("run.py").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        main(["--out", "out"])
    assert "size: out/size.json is no report: `rows` is no list" in capsys.readouterr().err
    assert Path("out/threads.json").exists()


def test_resumed_it_measures_only_what_this_commit_has_no_report_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--out", "out"])
    Path("out/size.json").unlink()
    older = json.loads(Path("out/peak.json").read_text())
    older["context"]["revision"] = "another"
    Path("out/peak.json").write_text(json.dumps(older))
    suites_fail("threads")  # which is not asked
    main(["--out", "out", "--resume"])
    told = capsys.readouterr().out
    assert "3 of 3: threads, there already" in told
    assert json.loads(Path("out/peak.json").read_text())["context"]["revision"] == REVISION


def test_reports_of_uncommitted_code_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_suites, "revision", lambda: f"{REVISION}-dirty")
    main(["--out", "out"])
    suites_fail("threads")
    with pytest.raises(SystemExit, match="1"):
        main(["--out", "out", "--resume"])


def test_interrupted_it_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(all_suites.subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main(["--out", "out"])
    assert "go on with: python bench/all_suites.py --out out --resume" in capsys.readouterr().out


def test_time_left_is_what_is_expected_at_this_machine_s_pace() -> None:
    pace = Pace(["size", "peak", "threads"])
    assert pace.left_s == 35
    pace.note("size", 40.0)
    assert pace.left_s == 30
    pace.note("peak", None)
    assert pace.left_s == 10


def test_all_suites_of_this_machine_are_there_but_the_one_that_trains_within_13_minutes() -> None:
    of_this_machine = {name for name, suite in KNOWN.items() if "local" in suite.boards}
    assert SUITES.keys() == of_this_machine - {"ablation"}
    assert sum(SUITES.values()) < 13 * 60
