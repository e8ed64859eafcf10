"""Engines in processes of their own: verified, timed in turns, and named where they fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench import turns
from bench.engines import Engine, our_engine
from bench.limited import EngineError
from bench.peer_files import PeerFiles
from bench.rows import ENGINE
from bench.turns import Entry, time_in_turns
from bench.workers import Sample, Worker
from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.network import Network
from compile.source import random_network
from compile.targets import host_target
from deploy_rpc.board_spec import BoardError

ROUNDS = 3


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network("shufflenet-0.25x-g1", input_size=(32, 32))


@pytest.fixture(scope="module")
def ours(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("ours") / "network.so"
    target = host_target()
    return our_engine(
        build_library(lower(network, "fused", target), target, find_linker("auto", target), path)
    )


def test_each_round_takes_a_sample_of_each_engine_that_answers_right(
    network: Network, ours: Engine, tmp_path: Path
) -> None:
    eager = PeerFiles(network, tmp_path).engine("pytorch")
    other = dataclasses.replace(network, references=lambda _: [np.eye(1, 1000)])
    entries = {
        "fused": Entry(network, ours),
        "eager": Entry(network, eager),
        "wrong": Entry(other, eager),
        "broken": Entry(network, Engine("nobody", "no.file")),
    }
    timings, failed = time_in_turns(entries, ROUNDS)
    assert list(timings) == ["fused", "eager"]
    for timing in timings.values():
        assert len(timing.samples_ms) == ROUNDS
        assert min(timing.samples_ms) <= timing.median_ms <= max(timing.samples_ms)
        assert timing.calls >= 1
    assert timings["fused"].memory_bytes < 10e6 < timings["eager"].memory_bytes
    assert failed == {
        "wrong": failed["wrong"],
        "broken": "nobody failed: KeyError: 'nobody'",
    }
    assert "pytorch answers wrong for shufflenet-0.25x-g1" in failed["wrong"]


def test_our_own_wrong_answer_is_an_error(network: Network, ours: Engine) -> None:
    other = dataclasses.replace(network, references=lambda _: [np.eye(1, 1000)])
    with pytest.raises(EngineError, match="answers wrong"):
        time_in_turns({"fused": Entry(other, ours)}, ROUNDS)


class Mortal:
    """A worker without a process, whose engine fails when it has been asked `LIVES` times."""

    LIVES: int

    def __init__(self, engine: Engine, *_: object) -> None:
        self._is_mortal = engine.model == "mortal"
        self._asked = 0
        self.output = np.ones(1)

    def sample(self, _: int) -> Sample:
        self._asked += 1
        if self._is_mortal and self._asked > self.LIVES:
            raise EngineError(f"died when asked {self._asked} times")
        return Sample(ms=1.0, memory_bytes=0)

    def stop(self) -> None:
        pass


@pytest.mark.parametrize(("lives", "asked"), [(turns.WARM_UPS + 1, 5), (turns.WARM_UPS - 1, 3)])
def test_a_peer_that_fails_after_its_first_answer_costs_no_other_its_times(
    network: Network, monkeypatch: pytest.MonkeyPatch, lives: int, asked: int
) -> None:
    monkeypatch.setattr(turns, "Worker", Mortal)
    monkeypatch.setattr(turns, "check_output", lambda *_: None)
    monkeypatch.setattr(Mortal, "LIVES", lives, raising=False)
    peer, sound = Engine("ncnn", "mortal"), Engine(ENGINE, "sound")
    timings, failed = time_in_turns(
        {"peer": Entry(network, peer), "fused": Entry(network, sound)}, ROUNDS
    )
    assert {name: len(timing.samples_ms) for name, timing in timings.items()} == {"fused": ROUNDS}
    assert failed == {"peer": f"died when asked {asked} times"}
    with pytest.raises(EngineError, match=f"died when asked {asked} times"):
        time_in_turns({"fused": Entry(network, Engine(ENGINE, "mortal"))}, ROUNDS)


def test_a_worker_that_dies_is_an_error(network: Network, ours: Engine) -> None:
    worker = Worker(ours, network.example_input(), 1000, threads=1)
    worker._process.kill()
    worker._process.wait()
    with pytest.raises(EngineError, match="shufflenet-compiled failed"):
        worker.sample(1)
    worker.stop()


def test_a_worker_that_closes_its_output_and_lives_on_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "deaf.py"
    script.write_text("import os, time\nos.write(2, b'deaf')\nos.close(1)\ntime.sleep(60)\n")
    monkeypatch.setattr("bench.workers.SCRIPT", script)
    monkeypatch.setattr("bench.workers.STOP_LIMIT_S", 0.1)
    with pytest.raises(EngineError, match="deaf failed: deaf"):
        Worker(Engine("deaf", "no.file"), np.zeros(1, np.float32), 1, threads=1)


def test_a_worker_that_hangs_is_given_up(
    network: Network, ours: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.workers.LOAD_LIMIT_S", 0)
    with pytest.raises(EngineError, match="did not answer within 0 s"):
        Worker(ours, network.example_input(), 1000, threads=1)


def test_more_threads_than_cores_are_refused(network: Network, ours: Engine) -> None:
    with pytest.raises(BoardError, match="threads need as many cores"):
        Worker(ours, network.example_input(), 1000, threads=4096)


def test_a_sample_lasts_long_enough(
    network: Network, ours: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SAMPLE_MS", 1e-9)
    timings, _ = time_in_turns({"fused": Entry(network, ours)}, ROUNDS)
    assert timings["fused"].calls == 1
