"""Workers build what a board needs to measure a candidate, and say what does not build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compile.schedules.templates import made_by_default
from compile.targets import host_target
from compile.tuning.builder import Builder, build_candidate
from compile.tuning.candidate import KERNEL, MOST_ERROR, difference
from deploy_rpc.session import open_session
from tests.tuning_records import WORKLOAD

MADE = made_by_default(WORKLOAD, host_target().core, 1)


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    made = Builder("host", 1)
    yield made
    made.close()


def test_a_board_gets_library_values_and_the_right_answer(builder: Builder) -> None:
    candidate = builder.build(MADE, MADE.tile)
    inputs, answer = candidate.values()
    with open_session("local") as session:
        loaded = session.load_kernels(candidate.library, {KERNEL: candidate.tensors})
        assert difference(loaded.run(KERNEL, inputs), answer) <= MOST_ERROR
    candidate.remove()
    assert not candidate.folder.exists()


def test_the_kernel_that_tells_the_clock_is_built_once(builder: Builder) -> None:
    assert builder.calibration() is builder.calibration()


def test_what_does_not_build_is_an_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(made: object) -> None:
        raise ValueError("no such tile\nand a long story")

    monkeypatch.setattr("compile.tuning.builder.answer_of", refuse)
    examined = build_candidate(MADE, MADE.tile, "host", tmp_path)
    assert (examined.outcome, examined.reason) == ("does not build", "no such tile")
