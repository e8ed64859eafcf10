"""Tuning on boards that die, hang and lie: no trial is lost, and no failure becomes a slow tile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from compile.lower import lower
from compile.schedules.int8_workloads import Int8PointwiseWorkload
from compile.schedules.spaces import space_of
from compile.schedules.templates import Made, made_by_default
from compile.targets import host_target
from compile.tune import main
from compile.tuning.candidate import Examined
from compile.tuning.log import TuningLog
from compile.tuning.measure import MOST_FAILURES, Boards, NoBoardLeftError
from compile.tuning.one_board import CLOCK_TRIES, PAUSE_S, BoardLimits, OneBoard
from compile.tuning.record import Record
from compile.tuning.task import tasks_of
from compile.tuning.trial import Where
from compile.tuning.tuner import Step, Tuner
from deploy_rpc.agent_process import RunningAgent
from deploy_rpc.board_spec import BoardError, parse_board
from deploy_rpc.session_kernels import LoadedKernels
from tests.agents import becomes_true, free_boards, native_agent, tracker_process
from tests.small_networks import small_network

ROOT = Path(__file__).parents[1]
TARGET = host_target()
TASKS = tasks_of(lower(small_network(), "fused", TARGET))
TRIALS = len(TASKS) + 6
QUIET_S = 3  # how long a silent board is waited for


@contextmanager
def farm(folder: Path, count: int = 2) -> Iterator[tuple[str, list[RunningAgent]]]:
    """A tracker with `count` agents of this machine; its address as a board, and the agents."""
    with ExitStack() as stack:
        tracker, _ = stack.enter_context(tracker_process())
        agents = []
        for number in range(count):
            work = folder / f"board-{number}"
            work.mkdir()
            words = ("--key", "here", "--tracker", tracker)
            agents.append(stack.enter_context(native_agent(work, *words)))
        assert becomes_true(lambda: free_boards(tracker) == count)
        yield f"tracker://{tracker}/here", agents


def send(agent: RunningAgent, number: signal.Signals) -> None:
    """The signal to the agent and to the sessions that it serves."""
    process = psutil.Process(agent.process.pid)
    for each in [*process.children(recursive=True), process]:
        each.send_signal(number)


def tune(
    board: str,
    log: TuningLog,
    said: list[str],
    report: Callable[[Step], None] = lambda step: None,
    *,
    boards: int = 2,
    timeout_s: float = 30,
    cooldown_s: float = 0,
    most_drift: float = float("inf"),
) -> list[Record]:
    """The records of a search of `TRIALS` trials at most."""
    spec = parse_board(board)
    limits = BoardLimits(timeout_s, cooldown_s, most_drift)
    with Boards(spec, "host", boards, limits=limits, workers=2, say=said.append) as examiner:
        tuner = Tuner(TASKS, Where(TARGET, "host", spec, TARGET.core), examiner, log)
        tuner.resume()
        tuner.run(TRIALS, report)
    return log.read().records


def assert_all_measured(records: Sequence[Record]) -> None:
    """Every trial asked for is there, once, right, and no slower than a kernel this small is."""
    assert len(records) == TRIALS
    assert len({(each.key, str(each.decisions)) for each in records}) == TRIALS
    assert {(each.outcome, each.kind, each.unit) for each in records} == {("ok", "measured", "s")}
    assert all(len(each.samples) == 9 and each.median < 0.1 for each in records)


def after_the_defaults(act: Callable[[], None]) -> Callable[[Step], None]:
    def report(step: Step) -> None:
        if step.task == "defaults":
            act()

    return report


def test_two_boards_share_the_trials(tmp_path: Path) -> None:
    said: list[str] = []
    with farm(tmp_path) as (board, _):
        assert_all_measured(tune(board, TuningLog(tmp_path / "net.jsonl"), said))
    assert said == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_board_that_dies_or_hangs_costs_no_trial(tmp_path: Path, number: signal.Signals) -> None:
    said: list[str] = []
    with farm(tmp_path) as (board, agents):
        fails = after_the_defaults(lambda: send(agents[0], number))
        log = TuningLog(tmp_path / "net.jsonl")
        records = tune(board, log, said, fails, timeout_s=QUIET_S)
        if number == signal.SIGSTOP:
            send(agents[0], signal.SIGCONT)
    assert_all_measured(records)
    assert any("failure 1 of" in line for line in said)


def test_a_board_with_wrong_numbers_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    run = LoadedKernels.run

    def sometimes_wrong(self: LoadedKernels, name: str, values: Sequence[np.ndarray]) -> np.ndarray:
        return run(self, name, values) + (threading.current_thread().name == "board 1")

    monkeypatch.setattr(LoadedKernels, "run", sometimes_wrong)
    with farm(tmp_path) as (board, _):
        log = TuningLog(tmp_path / "net.jsonl")
        assert_all_measured(tune(board, log, said))
    assert any("wrong numbers" in line for line in said)


def test_kernels_of_int8_have_to_be_right_to_the_bit_on_a_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_by_default(Int8PointwiseWorkload(2, 10, 12, 49, True, True), TARGET.core, 1)
    pairs = [(made, tile) for tile in space_of(made.workload, TARGET.core)[:2]]
    limits, run = BoardLimits(timeout_s=30, most_drift=float("inf")), LoadedKernels.run

    def one_bit_off(self: LoadedKernels, name: str, values: Sequence[np.ndarray]) -> np.ndarray:
        answer = run(self, name, values).copy()
        answer.flat[0] ^= 1
        return answer

    with (
        farm(tmp_path, 1) as (board, _),
        Boards(
            parse_board(board), "host", 1, limits=limits, workers=1, say=lambda text: None
        ) as examiner,
    ):
        assert [each.outcome for _, each in examiner.examine(pairs)] == ["ok", "ok"]
        monkeypatch.setattr(LoadedKernels, "run", one_bit_off)
        with pytest.raises(NoBoardLeftError):
            list(examiner.examine(pairs[:1]))


def test_when_all_boards_are_wrong_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    run = LoadedKernels.run
    monkeypatch.setattr(LoadedKernels, "run", lambda *arguments: run(*arguments) + 1)
    log = TuningLog(tmp_path / "net.jsonl")
    with pytest.raises(NoBoardLeftError, match="--resume"):
        tune("local", log, said, boards=1)
    assert not log.path.exists() or not log.read().records
    assert len([line for line in said if "wrong numbers" in line]) == MOST_FAILURES
    assert "set aside" in said[-1]


def test_a_wrong_candidate_on_a_sound_board_is_recorded_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, examine = LoadedKernels.run, OneBoard.examine
    of_defaults: list[bool] = []

    def noted(self: OneBoard, made: Made, tile: object, candidate: object) -> Examined:
        of_defaults.append(tile == made.tile)
        return examine(self, made, tile, candidate)

    def wrong(self: LoadedKernels, name: str, values: Sequence[np.ndarray]) -> np.ndarray:
        return run(self, name, values) + (not of_defaults[-1])

    monkeypatch.setattr(OneBoard, "examine", noted)
    monkeypatch.setattr(LoadedKernels, "run", wrong)
    said: list[str] = []
    records = tune("local", TuningLog(tmp_path / "net.jsonl"), said, boards=1)
    outcomes = [record.outcome for record in records]
    assert outcomes.count("ok") == len(TASKS)
    assert set(outcomes[len(TASKS) :]) == {"wrong answer"}
    assert said == []


@pytest.mark.parametrize(
    "first", [[1.0, 1.0, 1.0, 1.3], [1.3, 1.0]], ids=["falls", "rises while a candidate is timed"]
)
def test_times_of_a_clock_that_changes_are_taken_again(
    first: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([*first, *[1.05] * 1000])
    monkeypatch.setattr("compile.tuning.clock.reading_s", lambda time_s: next(readings))
    monkeypatch.setattr("compile.tuning.one_board.PAUSE_S", 0.0)
    said: list[str] = []
    records = tune("local", TuningLog(tmp_path / "net.jsonl"), said, boards=1, most_drift=0.1)
    assert_all_measured(records)
    assert len(said) == 1
    assert "30% slower than it can be" in said[0]


def test_a_board_whose_clock_stays_low_is_set_aside_with_nothing_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([1.0, *[2.0] * 1000])
    monkeypatch.setattr("compile.tuning.clock.reading_s", lambda time_s: next(readings))
    monkeypatch.setattr("compile.tuning.one_board.PAUSE_S", 0.0)
    said: list[str] = []
    log = TuningLog(tmp_path / "net.jsonl")
    with pytest.raises(NoBoardLeftError, match="--resume"):
        tune("local", log, said, boards=1, most_drift=0.1)
    assert not log.path.exists()
    assert len([line for line in said if "timed again" in line]) == MOST_FAILURES * (
        CLOCK_TRIES - 1
    )
    assert "set aside" in said[-1]


def test_each_pause_for_a_slow_clock_is_twice_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([1.0, 1.0, *[1.3] * (CLOCK_TRIES - 1), *[1.0] * 1000])
    monkeypatch.setattr("compile.tuning.clock.reading_s", lambda time_s: next(readings))
    rests: list[float] = []
    monkeypatch.setattr("compile.tuning.one_board.time.sleep", rests.append)
    records = tune("local", TuningLog(tmp_path / "net.jsonl"), [], boards=1, most_drift=0.1)
    assert_all_measured(records)
    pauses = [rest for rest in rests if rest]  # without those for boards to cool down, of 0 s
    assert pauses == [PAUSE_S * 2**each for each in range(CLOCK_TRIES - 1)]


def test_boards_rest_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr("compile.tuning.measure.time.sleep", rests.append)
    tune("local", TuningLog(tmp_path / "net.jsonl"), [], boards=1, cooldown_s=7.0)
    assert rests == [7.0]


def test_a_search_outlives_its_tracker(tmp_path: Path) -> None:
    said: list[str] = []
    with tracker_process() as (tracker, process), ExitStack() as again:
        port = int(tracker.rpartition(":")[2])

        def restart() -> None:
            process.kill()
            process.wait()
            again.enter_context(tracker_process(port))

        with native_agent(tmp_path, "--key", "here", "--tracker", tracker):
            assert becomes_true(lambda: free_boards(tracker) == 1)
            board, log = f"tracker://{tracker}/here", TuningLog(tmp_path / "net.jsonl")
            records = tune(board, log, said, after_the_defaults(restart), boards=1)
            assert_all_measured(records)
            assert becomes_true(lambda: free_boards(tracker) == 1)


def test_no_board_at_all_names_the_command_that_diagnoses(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(NoBoardLeftError, match="doctor"):
        tune("rpc://127.0.0.1:9", TuningLog(tmp_path / "net.jsonl"), said, boards=1)
    assert len(said) == MOST_FAILURES + 1


def test_a_torn_line_does_not_stop_a_search(tmp_path: Path) -> None:
    log, said = TuningLog(tmp_path / "net.jsonl", warn=lambda text: None), []

    def tear() -> None:
        with log.path.open("ab") as file:
            file.write(b'{"format": 1, "torn')

    records = tune("local", log, said, after_the_defaults(tear), boards=1)
    assert_all_measured(records)
    assert log.path.with_name("net.jsonl.torn").exists()


class ClosedAsItMeasures:
    """A board that measures until it is closed, which is an error of the board."""

    def __init__(self, *arguments: object) -> None:
        self.number, self.failures = 1, 0
        self._closed = threading.Event()
        measuring.clear()

    def close(self) -> None:
        self._closed.set()

    def examine(self, *candidate: object) -> Examined:
        measuring.set()
        self._closed.wait(60)
        raise BoardError("the session is closed")


measuring = threading.Event()


def test_a_search_that_is_interrupted_leaves_no_thread_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One in TVM's code as Python ends would abort the program."""
    monkeypatch.setattr("compile.tuning.measure.OneBoard", ClosedAsItMeasures)
    said: list[str] = []
    boards = Boards(
        parse_board("local"), "host", 1, limits=BoardLimits(), workers=1, say=said.append
    )
    made = TASKS[0].made
    with boards:
        boards._start(boards._begin([(made, made.tile)]))  # as `examine`, which would wait
        assert measuring.wait(60)
    assert not [each.name for each in threading.enumerate() if each.name.startswith("board ")]
    assert said == []


def test_two_searches_share_a_log(tmp_path: Path) -> None:
    with farm(tmp_path) as (board, _):
        path = tmp_path / "net.jsonl"
        threads = [
            threading.Thread(target=tune, args=(board, TuningLog(path), []), kwargs={"boards": 1})
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    contents = TuningLog(path).read()
    assert not contents.problems
    assert len(contents.records) == 2 * TRIALS


def test_ctrl_c_keeps_every_trial_and_resume_takes_them_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--target", "host", "--model", "shufflenet-0.25x-g3", "--board", "local"]
    words += ["--input-size", "64", "--tuning-logs", str(tmp_path)]
    words += ["--trials", "60", "--drift", "1000", "--judge", "0"]
    command = [sys.executable, str(ROOT / "compile/tune.py"), *words]
    search = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while "trials/s" not in (line := search.stdout.readline()):
        assert line, "the search ended"
    search.send_signal(signal.SIGINT)
    rest, _ = search.communicate(timeout=60)
    assert search.returncode not in (0, None)
    assert "go on with --resume" in rest
    log = next(tmp_path.glob("*/*.jsonl"))
    known = len(TuningLog(log).read().records)
    assert known >= 24
    main([*words, "--resume", "--trials", "2", "--json", str(tmp_path / "tuned.json")])
    assert f"resumed: {known} trials" in capsys.readouterr().out
    trials = [each for each in TuningLog(log).read().records if each.kind == "measured"]
    assert len(trials) == known + 2
    report = json.loads((tmp_path / "tuned.json").read_text())
    assert [row["level"] for row in report["network"]] == ["fused", "tuned"]
    assert report["lessons"] > 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--target", "arm_cpu", "--board", "emulated"], "its times mean nothing"),
        (["--target", "arm_cpu", "--board", "local"], "--target host"),
    ],
)
def test_a_board_without_times_of_the_target_is_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert reason in capsys.readouterr().err
