"""MetaSchedule's search finds schedules that are right, ends when told to, and goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compile.tuning.auto_search import BATCH, MODULE, AutoSearch, AutoTrial
from compile.tuning.workers import WorkerPool
from tests.auto_searches import TARGET, TINY, shorten
from tests.needs import needs_cycle_model


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    workers = WorkerPool(1, MODULE)
    yield workers
    workers.close()


@needs_cycle_model
def test_metaschedule_finds_schedules_that_are_right_and_goes_on_from_known_ones(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    search, trials = AutoSearch(TINY, TARGET, TARGET.core, pool), []
    search.run(trials.append, lambda: len(trials) >= BATCH)
    assert len(trials) == BATCH
    assert all(trial.examined.outcome == "ok" for trial in trials)
    assert min(trial.examined.cost for trial in trials) < search.start_cost()
    later: list[AutoTrial] = []
    search.run(later.append, lambda: len(later) >= 2, known=trials)
    assert len(later) == 2
    assert not [each for each in later if each.trace in [trial.trace for trial in trials]]
