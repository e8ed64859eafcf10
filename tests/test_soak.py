"""What a soak of the tuner comes to is told from what was seen, said and recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from compile.tuning.log import TuningLog
from compile.tuning.record import Record
from tests.agents import becomes_true
from tests.soak import interruptions
from tests.soak.farm import TEMPORARY
from tests.soak.interruptions import MOST_RECORDS, InterruptedSearch
from tests.soak.judgement import Fault, Judgement, judge, lost_lines, processes_of
from tests.soak.search import LOGS, Search, begun
from tests.soak.usage import SoakError, Usage, usage_of
from tests.tuning_records import record

# Temporary files at the faults of each search in an hour that left none, the fewest and the most
SOUND_HOUR = (
    (28, 89), (31, 66), (28, 117), (31, 57), (17, 107), (31, 107), (29, 99), (25, 50), (34, 128),
    (25, 80), (21, 95), (19, 80), (23, 109), (26, 71), (34, 108), (23, 74), (19, 53), (28, 72),
    (26, 73), (22, 57), (23, 58),
)  # fmt: skip
SAID = ("30 kernels on tracker://here", "    1/1000000 trials, 1 ms", "    2/1000000 trials, 1 ms")


def fault(
    at_s: float, memory: int = 700, files: int = 20, search: int = 1, temporary: int = 25
) -> Fault:
    tuner, farm = Usage(memory, 11, files), Usage(800, 6, 24)
    return Fault("agent killed", at_s, at_s, search, 1, tuner, farm, temporary)


def search_in(
    folder: Path, said: Sequence[str], records: Sequence[Record], exit_code: int = 0
) -> Search:
    """A search that has ended so."""
    process = subprocess.Popen(["sh", "-c", f"exit {exit_code}"], text=True)
    process.wait()
    log = TuningLog(folder / "core" / "net.jsonl")
    log.path.parent.mkdir(parents=True)
    log.append(records)
    return Search(process, folder, list(said))


def judged(
    folder: Path,
    faults: Sequence[Fault] = (),
    said: Sequence[str] = SAID,
    records: Sequence[Record] = (),
    wrong: Sequence[str] = (),
) -> Judgement:
    (folder / TEMPORARY).mkdir()
    search = search_in(folder / LOGS / "01", said, records or [record(0), record(1)])
    return judge(faults, [search], wrong, folder)


def test_a_soak_without_loss_passes(tmp_path: Path) -> None:
    found = judged(tmp_path, [fault(at_s) for at_s in range(8)])
    found.check()
    assert (found.report["lost"], found.report["records"]) == (0, [2])
    assert found.report["recovery"] == {
        "agent killed": {"times": 8, "median_s": 3.5, "longest_s": 7}
    }


def test_a_trial_without_a_record_is_lost(tmp_path: Path) -> None:
    found = judged(tmp_path, said=[*SAID, "    3/1000000 trials, 1 ms"])
    assert found.report["lost"] == 1
    with pytest.raises(SoakError, match="lost"):
        found.check()


def test_a_trial_recorded_twice_is_told(tmp_path: Path) -> None:
    found = judged(tmp_path, said=SAID[:2], records=[record(0), record(0)])
    assert (found.report["twice"], found.report["lost"]) == (1, 0)
    with pytest.raises(SoakError, match="twice"):
        found.check()


def test_each_search_answers_for_its_own_trials(tmp_path: Path) -> None:
    (tmp_path / TEMPORARY).mkdir()
    searches = [
        search_in(tmp_path / LOGS / "01", SAID, [record(0), record(1)]),
        search_in(tmp_path / LOGS / "02", SAID, [record(0)]),
    ]
    report = judge([], searches, [], tmp_path).report
    assert (report["records"], report["lost"], report["twice"]) == ([2, 1], 1, 0)


def test_a_search_that_ended_ill_fails_the_soak(tmp_path: Path) -> None:
    (tmp_path / TEMPORARY).mkdir()
    search = search_in(tmp_path / LOGS / "01", [*SAID, "error: no board"], [record(0)], exit_code=1)
    with pytest.raises(SoakError, match="failed_searches"):
        judge([], [search], [], tmp_path).check()
    search.was_interrupted = True
    assert not search.has_failed


def test_a_record_that_replays_wrong_fails_the_soak(tmp_path: Path) -> None:
    with pytest.raises(SoakError, match="wrong"):
        judged(tmp_path, wrong=["wrong answer: 1.0e+00 of the range away"]).check()


def test_a_board_that_was_set_aside_fails_the_soak(tmp_path: Path) -> None:
    with pytest.raises(SoakError, match="set_aside"):
        judged(tmp_path, said=[*SAID, "board 1 is set aside; look"]).check()


@pytest.mark.parametrize(
    ("faults", "grew"),
    [
        ([fault(at_s, memory=700 + 10 * at_s) for at_s in range(16)], ["tuner 1's memory"]),
        ([fault(at_s, files=20 + at_s) for at_s in range(8)], ["tuner 1's files"]),
        ([fault(at_s, temporary=25 + at_s) for at_s in range(8)], ["temporary files"]),
    ],
)
def test_what_grows_from_fault_to_fault_is_named(
    faults: Sequence[Fault], grew: Sequence[str], tmp_path: Path
) -> None:
    found = judged(tmp_path, faults)
    assert found.report["grew"] == grew
    with pytest.raises(SoakError, match="grew"):
        found.check()


def test_files_of_candidates_that_wait_are_no_growth(tmp_path: Path) -> None:
    judged(tmp_path, [fault(0, temporary=each) for each in [20] * 13 + [40] * 3]).check()


def of_searches(searches: Sequence[Sequence[int]], leak: int = 0) -> list[Fault]:
    """Faults with so many temporary files in each search, and `leak` more a fault before."""
    files = [(number, each) for number, search in enumerate(searches, 1) for each in search]
    return [
        fault(at_s, search=number, temporary=each + leak * at_s)
        for at_s, (number, each) in enumerate(files)
    ]


def test_one_search_with_few_temporary_files_does_not_decide(tmp_path: Path) -> None:
    """The fifth one of a real hour: over all faults the least of the quarters is 17 and 22."""
    found = judged(tmp_path, of_searches(SOUND_HOUR))
    found.check()
    assert found.report["quarters"]["temporary files"] == (28, 23)


def test_temporary_files_that_faults_leave_are_found_among_searches(tmp_path: Path) -> None:
    found = judged(tmp_path, of_searches(SOUND_HOUR, leak=1))
    assert found.report["grew"] == ["temporary files"]


@pytest.mark.parametrize(
    ("least", "grew"),
    [
        ([20, 34, 21, 33, 22, 35, 20, 33, 21, 34, 33, 21], []),
        ([20, 21, 20, 21, 20, 21, 33, 34, 33, 34, 33, 34], ["temporary files"]),
    ],
    ids=["as from one search to the next", "steady searches"],
)
def test_what_chance_explains_is_told_from_how_searches_differ(
    least: Sequence[int], grew: Sequence[str], tmp_path: Path
) -> None:
    found = judged(tmp_path, of_searches([[each] for each in least]))
    first, last = found.report["quarters"]["temporary files"]
    assert last > first + 3
    assert found.report["grew"] == grew


@pytest.mark.parametrize(("leak", "grew"), [(0, []), (1, ["temporary files"])])
def test_of_few_searches_the_least_of_all_faults_counts(
    leak: int, grew: Sequence[str], tmp_path: Path
) -> None:
    searches = [[20, 60, 50], [40, 21, 60], [30, 70, 20]]
    found = judged(tmp_path, of_searches(searches, leak))
    assert found.report["temporary_files_by_chance"] == 3
    assert found.report["quarters"]["temporary files"] == (20, 20 + 8 * leak)
    assert found.report["grew"] == grew


def test_another_search_may_begin_with_more(tmp_path: Path) -> None:
    faults = [
        fault(at_s, memory=700 + 300 * (at_s // 8), search=1 + at_s // 8) for at_s in range(16)
    ]
    judged(tmp_path, faults).check()


def test_temporary_files_that_are_left_are_named(tmp_path: Path) -> None:
    judged(tmp_path)
    (tmp_path / TEMPORARY / "kernel.so").touch()
    assert judge([], [], [], tmp_path).report["left"] == [str(tmp_path / TEMPORARY / "kernel.so")]


def test_a_process_that_is_left_is_found_by_its_words_and_by_its_folder(tmp_path: Path) -> None:
    words = (["sleep", "100"], {"TMPDIR": str(tmp_path / TEMPORARY / "of-a-program")})
    with subprocess.Popen(words[0], env=words[1]) as child:
        assert becomes_true(lambda: processes_of(tmp_path) == [child.pid])
        child.kill()
    command = ["sh", "-c", "sleep 100; true", str(tmp_path)]
    with subprocess.Popen(command, start_new_session=True) as child:
        assert becomes_true(lambda: processes_of(tmp_path) == [child.pid])
        os.killpg(child.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("after", "lost"),
    [(b"a\nb\nc\n", 0), (b"a\nb\n", 1), (b"b\na\nc\n", 1), (b"a\n", 2)],
    ids=["all", "a trial without a record", "another order", "a line less"],
)
def test_what_a_log_lost_since_a_search_began_is_counted(after: bytes, lost: int) -> None:
    """Which held one line, of a search that says that it has had two trials."""
    assert lost_lines(b"a\n", after, 2) == lost


TUNER = """
import pathlib, sys, time
log, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
log.parent.mkdir(parents=True)
try:
    log.write_text("{}\\n" * count)
    time.sleep(100)
except KeyboardInterrupt:
    print(f"{count}/1000000 trials\\ninterrupted", flush=True)
    sys.exit(130)
"""


@pytest.mark.parametrize(("records", "logs"), [(MOST_RECORDS, ["01"]), (320, ["01", "02"])])
def test_a_search_that_may_soon_have_found_all_is_followed_by_another(
    records: int, logs: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a program in the tuner's place, which writes so many at once."""

    def begin(running: ExitStack, folder: Path, number: int, *_: object) -> Search:
        place = folder / LOGS / f"{number:02}"
        words = [sys.executable, "-c", TUNER, str(place / "core" / "net.jsonl"), str(records)]
        process = running.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        running.callback(process.kill)
        return begun(process, place)

    monkeypatch.setattr(interruptions, "start_farm", lambda *_: None)
    monkeypatch.setattr(interruptions, "begin_search", begin)
    with ExitStack() as running:
        search = InterruptedSearch(running, tmp_path)
        search.make_room()
        search.end()
    assert [log.parent.parent.name for log in search.logs] == logs
    assert search.lost == 0


def test_usage_is_this_process_s() -> None:
    usage = usage_of([os.getpid()])
    assert usage.memory > 10_000_000
    assert usage.files >= 3
