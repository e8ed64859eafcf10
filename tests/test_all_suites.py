"""All suites in one go: what fails costs no other's report, and what is there is not made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import all_suites, kept_reports
from bench.all_suites import ELSEWHERE, LEFT_OUT, SUITES, Pace, main
from bench.provenance import REPOSITORY
from bench.suites import SUITES as KNOWN
from tests.report_rows import a_row

REVISION = "0123456789ab"
HERE = {"revision": REVISION, "cpu": "a processor", "cores": 2, "versions": {}, "engines": {}}
# In place of `bench/run.py`: a report of one row, or the exit code and the words that are given.
RUN = """import json, sys
suite, path = sys.argv[1], sys.argv[-1]
print("measuring")
if suite in {failing!r}:
    sys.exit("error: no QEMU here")
row = {row!r} | {{"suite": suite}}
context = {here!r} | {{"command": " ".join(["python bench/run.py", *sys.argv[1:]])}}
json.dump({{"context": context, "rows": [row]}}, open(path, "w"))
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With three suites, of committed code, and a program in place of theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(all_suites, "RUN", tmp_path / "run.py")
    monkeypatch.setattr(all_suites, "SUITES", {"size": 20, "peak": 10, "threads": 5})
    monkeypatch.setattr(all_suites, "not_measurable", dict)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code_is(REVISION, monkeypatch)
    suites_fail()


def code_is(revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_suites, "revision", lambda: revision)
    monkeypatch.setattr(
        kept_reports, "measurement_context", lambda _: HERE | {"revision": revision}
    )


def suites_fail(*failing: str) -> None:
    text = RUN.format(failing=failing, row=a_row(), here=HERE)
    Path("run.py").write_text(text, encoding="utf-8")


def test_every_suite_has_a_report_and_a_log_and_is_on_the_page() -> None:
    main(["--out", "made/here"])
    out = Path("made/here")
    names = {f"{suite}.{ending}" for suite in all_suites.SUITES for ending in ("json", "log")}
    assert {path.name for path in out.iterdir()} == {*names, "index.html"}
    assert (out / "peak.log").read_text().startswith("measuring\nexit code 0, after ")
    page = (out / "index.html").read_text(encoding="utf-8")
    assert all(f'<section id="{suite}">' in page for suite in all_suites.SUITES)


def test_a_suite_that_fails_is_named_and_the_others_are_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    suites_fail("size")
    with pytest.raises(SystemExit, match="1"):
        main(["--out", "out"])
    assert "size: exit code 1: error: no QEMU here; see out/size.log" in capsys.readouterr().err
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert (
        "<code>size</code>: not on this page: it failed: exit code 1: error: no QEMU here" in page
    )
    assert '<section id="threads">' in page
    assert not Path("out/size.json").exists()


def test_a_suite_without_its_tools_is_named_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--out", "out"])
    monkeypatch.setattr(all_suites, "not_measurable", lambda: {"peak": "no QEMU"})
    main(["--out", "out"])
    assert "without peak: no QEMU" in capsys.readouterr().out
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert "<code>peak</code>: not on this page: no QEMU." in page
    assert not list(Path("out").glob("peak.*"))


def test_a_page_that_cannot_be_written_hides_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_page(*_: object) -> None:
        raise ValueError("no page")

    suites_fail("size")
    monkeypatch.setattr(all_suites, "write_page", no_page)
    with pytest.raises(ValueError, match="no page"):
        main(["--out", "out"])
    told = capsys.readouterr().err
    assert "size: exit code 1: error: no QEMU here" in told
    assert "try: python bench/page.py out/*.json --html out/index.html" in told


def test_a_report_that_is_there_before_its_suite_fails_does_not_stay() -> None:
    with Path("run.py").open("a", encoding="utf-8") as file:
        file.write('sys.exit(suite == "size")\n')
    with pytest.raises(SystemExit, match="1"):
        main(["--out", "out"])
    assert sorted(path.stem for path in Path("out").glob("*.json")) == ["peak", "threads"]


def test_what_an_interrupted_suite_left_is_of_use_to_one_that_is_resumed_alone() -> None:
    main(["--out", "out"])
    partial = Path("out/size.json.digits.int8.partial")
    partial.write_text(json.dumps({"revision": REVISION}))
    main(["--out", "out", "--resume"])
    assert partial.exists()
    main(["--out", "out"])
    assert not partial.exists()


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


def test_reports_of_uncommitted_code_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code_is(f"{REVISION}-dirty", monkeypatch)
    main(["--out", "out"])
    suites_fail("threads")
    with pytest.raises(SystemExit, match="1"):
        main(["--out", "out", "--resume"])
    assert "nothing can be kept: the code is not committed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        (REVISION, "go on with: python bench/all_suites.py --out out --resume"),
        (f"{REVISION}-dirty", "nothing can be kept: the code is not committed"),
    ],
)
def test_interrupted_it_says_how_to_go_on(
    revision: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    code_is(revision, monkeypatch)
    monkeypatch.setattr(all_suites, "run_suite", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main(["--out", "out"])
    assert capsys.readouterr().out.splitlines()[-1] == words


def test_time_left_is_what_is_expected_at_this_machine_s_pace() -> None:
    pace = Pace(["size", "peak", "threads"])
    assert pace.left_s == 35
    pace.note("size", 40.0)
    assert pace.left_s == 30
    pace.note("peak", None)
    assert pace.left_s == 10


def test_all_known_suites_are_there_or_named_as_left_out() -> None:
    assert SUITES.keys() | LEFT_OUT.keys() == KNOWN.keys()
    assert not SUITES.keys() & LEFT_OUT.keys()


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_runs_where_it_can(suite: str) -> None:
    board = "modelled" if suite in ELSEWHERE else "local"
    assert board in KNOWN[suite].boards


def test_the_docs_name_the_minutes_that_are_expected() -> None:
    minutes = round(sum(SUITES.values()) / 60)
    text = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"`make bench` takes about {minutes} minutes" in text
