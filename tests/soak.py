"""python -m tests.soak inference|tuning: does it grow, lose or err in the long run?

    inference   10,000 inferences of four instances on four threads: every output is the first
                one's, to the bit; memory, threads and open files at the start and at the end
    tuning      a search on two boards at a tracker, of which a session or an agent is killed or
                stopped every few seconds; then the log is replayed, and what is left is counted

Both print what they saw, and exit 1 where anything was wrong, lost, or left.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import psutil

from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.source import random_network
from compile.targets import host_target
from compile.tuning.log import TuningLog
from compile.tuning.verify import fault_of
from deploy_rpc.shared_key import write_key
from model.cli import positive_int, run_command
from model.errors import InputError

INSTANCES = 4
INPUTS = 4
MOST_GROWTH_BYTES = 4 << 20  # of ten thousand inferences
BETWEEN_FAULTS_S = (4, 12)
OLD_S = 12  # an agent that ends sooner is taken for one that cannot run
BOARDS = 2
END_LIMIT_S = 60
RECOVERY_LIMIT_S = 120


class SoakError(InputError):
    """Something grew, was lost, or was wrong."""


def main(arguments: list[str] | None = None) -> None:
    """Runs one of the two."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Long runs.")
    kinds = parser.add_subparsers(required=True, metavar="inference|tuning")
    inference = kinds.add_parser("inference")
    inference.set_defaults(run=lambda options: soak_inference(options.model, options.inferences))
    inference.add_argument("--inferences", type=positive_int, default=10_000, metavar="N")
    inference.add_argument("--model", default="shufflenet-0.5x-g3", metavar="NAME")
    tuning = kinds.add_parser("tuning")
    tuning.set_defaults(run=lambda options: soak_tuning(options.minutes, options.seed))
    tuning.add_argument("--minutes", type=positive_int, default=60, metavar="N")
    tuning.add_argument("--seed", type=positive_int, default=1, metavar="N")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it off
    options.run(options)


def soak_inference(model: str, inferences: int) -> None:
    """Four instances of one library, a thread each; raises `SoakError`."""
    network, target = dataclasses.replace(random_network(model), name="small"), host_target()
    path = Path(tempfile.mkdtemp()) / "small.so"
    build_library(lower(network, "fused", target), target, find_linker("auto", target), path)
    library = ctypes.CDLL(str(path))
    inputs = np.random.default_rng(0).standard_normal((INPUTS, *network.input_shape))
    inputs = inputs.astype(np.float32)
    outputs = int(np.prod(network.output_shape))
    with ExitStack() as instances:
        runs = [_instance(library, instances, outputs) for _ in range(INSTANCES)]
        expected = [runs[0](x) for x in inputs]
        before, begin = _usage(), time.monotonic()
        wrong: Counter[int] = Counter()

        def work(number: int) -> None:
            for index in range(inferences // INSTANCES):
                which = (index + number) % INPUTS
                wrong[number] += runs[number](inputs[which]) != expected[which]

        threads = [threading.Thread(target=work, args=(n,)) for n in range(INSTANCES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = _usage()
    seconds = time.monotonic() - begin
    print(
        f"{model}: {inferences} inferences, {INSTANCES} instances, {INSTANCES} threads, "
        f"{seconds:.0f} s; {wrong.total()} outputs differ; memory {before[0]:,} -> {after[0]:,} "
        f"bytes, threads {before[1]} -> {after[1]}, open files {before[2]} -> {after[2]}"
    )
    if wrong.total() or after[0] - before[0] > MOST_GROWTH_BYTES or after[1:] != before[1:]:
        raise SoakError("outputs differ, or something grew")


def _instance(library: ctypes.CDLL, instances: ExitStack, outputs: int):  # noqa: ANN202
    """What runs one of its own: an input to the bytes of its output."""
    network, y = ctypes.c_void_p(), np.empty(outputs, np.float32)
    assert library.small_create(ctypes.byref(network), None) == 0
    instances.callback(library.small_destroy, network)

    def run(x: np.ndarray) -> bytes:
        places = [ctypes.c_void_p(each.ctypes.data) for each in (x, y)]
        sizes = [ctypes.c_size_t(each.size) for each in (x, y)]
        assert library.small_run(network, places[0], sizes[0], places[1], sizes[1]) == 0
        return y.tobytes()

    return run


def _usage(process: psutil.Process | None = None) -> tuple[int, int, int]:
    """Resident bytes, threads and open files."""
    process = process or psutil.Process()
    return process.memory_info().rss, process.num_threads(), process.num_fds()


def soak_tuning(minutes: int, seed: int) -> None:
    """Two boards, faults at random, a log that is replayed; raises `SoakError`."""
    draw, folder = random.Random(seed), Path(tempfile.mkdtemp())
    key, logs, work = folder / "board.key", folder / "logs", folder / "work"
    write_key(key)
    work.mkdir()
    with ExitStack() as running:
        tracker = _started(running, "deploy_rpc.serve", "tracker", "--port", "0")
        address = tracker.stdout.readline().split()[-1]
        words = ("--tracker", address, "--key", "here", "--key-file", str(key))
        boards = [
            _started(running, "deploy_rpc.serve", "agent", "--port", "0", *words)
            for _ in range(BOARDS)
        ]
        board = boards[0].stdout.readline().split()[-1]
        tuner = _started(
            running, "compile.tune", "--target", "host", "--board", board, "--boards", str(BOARDS),
            "--model", "shufflenet-0.25x-g3", "--trials", "1000000", "--judge", "0",
            "--timeout", "15", "--drift", "1000000", "--workers", "1", "--tuning-logs", str(logs),
        )  # fmt: skip
        said: list[str] = []
        threading.Thread(target=_listen, args=(tuner, said), daemon=True).start()
        recoveries = _faults(draw, boards, tuner, minutes, logs)
        tuner.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            tuner.wait(timeout=END_LIMIT_S)
    _judge(recoveries, said, logs, folder)


def _faults(
    draw: random.Random,
    boards: list[subprocess.Popen[str]],
    tuner: subprocess.Popen[str],
    minutes: int,
    logs: Path,
) -> dict[str, list[float]]:
    """Kills and stops for so long; of each kind the seconds until all boards were at work again."""
    recoveries: dict[str, list[float]] = {}
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end and tuner.poll() is None:
        time.sleep(draw.uniform(*BETWEEN_FAULTS_S))
        agents, sessions = _agents_and_sessions(boards)
        old = [agent for agent in agents if time.time() - agent.create_time() > OLD_S]
        what = draw.choice(["session killed", "session stopped", "agent killed"])
        victims = old if what == "agent killed" else sessions
        if len(sessions) < BOARDS or not victims or not _records(logs):
            continue
        victim = draw.choice(victims)
        with suppress(psutil.NoSuchProcess):
            (victim.suspend if what == "session stopped" else victim.kill)()
            recoveries.setdefault(what, []).append(_until_at_work(boards, victim))
            usage = _usage(psutil.Process(tuner.pid))
            print(
                f"{what}: {recoveries[what][-1]:.1f} s; {_records(logs)} records; tuner: "
                f"{usage[0]:,} bytes, {usage[1]} threads, {usage[2]} open files",
                flush=True,
            )
    return recoveries


def _agents_and_sessions(
    boards: list[subprocess.Popen[str]],
) -> tuple[list[psutil.Process], list[psutil.Process]]:
    agents = [child for board in boards for child in psutil.Process(board.pid).children()]
    sessions = []
    for agent in agents:
        with suppress(psutil.NoSuchProcess):
            sessions += agent.children()
    return agents, sessions


def _until_at_work(boards: list[subprocess.Popen[str]], victim: psutil.Process) -> float:
    """Seconds until every board has a session, and none is `victim`."""
    begin = time.monotonic()
    while time.monotonic() - begin < RECOVERY_LIMIT_S:
        _, sessions = _agents_and_sessions(boards)
        if len(sessions) == BOARDS and victim not in sessions:
            return time.monotonic() - begin
        time.sleep(0.1)
    raise SoakError(f"no board came back within {RECOVERY_LIMIT_S} s")


def _judge(recoveries: dict[str, list[float]], said: list[str], logs: Path, folder: Path) -> None:
    records = [record for log in logs.rglob("*.jsonl") for record in TuningLog(log).read().records]
    wrong = [reason for record in records if (reason := fault_of(record))]
    outcomes = Counter(record.outcome for record in records)
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
    ]
    set_aside = sum("is set aside" in line for line in said)
    for what, seconds in recoveries.items():
        median, longest = statistics.median(seconds), max(seconds)
        print(
            f"{what}: {len(seconds)} times; all at work again after {median:.1f} s, at most "
            f"{longest:.1f} s"
        )
    print(
        f"records: {len(records)}, {dict(outcomes)}; replayed wrong: {len(wrong)}; boards set "
        f"aside: {set_aside}; processes left: {len(left)}"
    )
    if wrong or left or outcomes.keys() - {"ok"}:
        raise SoakError(f"wrong records {wrong[:3]}, processes {left}, outcomes {dict(outcomes)}")


def _records(logs: Path) -> int:
    return sum(log.read_bytes().count(b"\n") for log in logs.rglob("*.jsonl"))


def _started(running: ExitStack, module: str, *words: str) -> subprocess.Popen[str]:
    """`python -m MODULE WORDS`, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True
    )
    running.callback(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listen(process: subprocess.Popen[str], said: list[str]) -> None:
    for line in process.stdout:
        said.append(line)
        if "failure" in line or "interrupted" in line:
            print(line, end="", flush=True)


if __name__ == "__main__":
    run_command(main)
