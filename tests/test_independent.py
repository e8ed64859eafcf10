"""The independent check: two ratios of the same thing, and a verdict that can be no."""

from __future__ import annotations

from typing import Any

import pytest

from bench import independent
from bench.independent import OWN_LOOP, PEER, WORKERS, independent_table, ratios
from bench.limited import EngineError
from bench.rows import ENGINE
from compile.source import random_network
from compile.targets import host_target
from tests.small_networks import small_network


def rows_of(worker: tuple[float, float], loop: tuple[float, float]) -> list[dict[str, Any]]:
    """Four rows, of (ours, theirs) in ms by each way."""
    return [
        {"model": "m", "engine": engine, "process": process, "median": ms}
        for process, times in ((WORKERS, worker), (OWN_LOOP, loop))
        for engine, ms in zip((ENGINE, PEER), times, strict=True)
    ]


def test_the_ratio_is_theirs_over_ours() -> None:
    assert ratios(rows_of((2, 3), (4, 8))) == {WORKERS: 1.5, OWN_LOOP: 2}


@pytest.mark.parametrize(("theirs", "verdict"), [(3.1, "agrees"), (3.3, "does not agree")])
def test_five_percent_are_allowed(theirs: float, verdict: str) -> None:
    assert verdict in independent_table(rows_of((2, 3), (2, theirs))).title


def test_without_the_peer_there_is_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(independent, "missing_engines", lambda _: {PEER: "not installed: pip"})
    with pytest.raises(EngineError, match="against onnxruntime: not installed"):
        independent.measure_independently(small_network(), "fused", host_target(), 9)


def test_a_loop_that_fails_is_an_error() -> None:
    with pytest.raises(EngineError, match="own loop failed"):
        independent._printed(PEER, ["false"])


def test_both_ways_time_both_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(independent, "LOOP_S", 0.01)
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    rows = independent.measure_independently(network, "fused", host_target(), rounds=2)
    ways = [(row["engine"], row["process"]) for row in rows]
    assert ways == [(engine, way) for way in (WORKERS, OWN_LOOP) for engine in (ENGINE, PEER)]
    for row in rows:
        assert (row["kind"], row["unit"], len(row["samples"])) == ("measured", "ms", 2)
        assert min(row["samples"]) > 0
    assert independent_table(rows).row_count == 2
