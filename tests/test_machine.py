"""The machine's own figures: a loop that reads all it says, peak before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench import bandwidth, machine
from bench.bandwidth import READ_LOOP, read_prim_func, read_shapes
from bench.kernel_timing import bench_session, load_kernels
from bench.machine import measured_machine
from compile.targets import host_target
from deploy_rpc.board_spec import parse_board


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bandwidth, machine):
        monkeypatch.setattr(module, "READ_BYTES", 1 << 20)


def test_every_value_is_read() -> None:
    target, shapes = host_target(), read_shapes(host_target())
    x = np.random.default_rng(0).standard_normal(shapes[0]).astype(np.float32)
    kernels = {READ_LOOP: read_prim_func(target)}
    with bench_session(parse_board("local"), target, threads=1) as session:
        loaded = load_kernels(session, kernels, target, threads=1)
        y = loaded.run(READ_LOOP, [x, np.zeros(shapes[1], np.float32)])
    assert x.nbytes == 1 << 20
    np.testing.assert_allclose(y, x.sum(0), atol=1e-3)  # of a thousand values in another order


def test_the_peak_is_taken_on_both_sides_of_a_run() -> None:
    context: dict[str, Any] = {}
    with measured_machine(host_target(), parse_board("local"), context):
        assert context["machine"].keys() == {"bandwidth", "peak"}
    assert context["machine"].keys() == {"bandwidth", "peak", "peak_after"}
    for name, quantity in context["machine"].items():
        assert quantity["unit"] == ("GB/s" if name == "bandwidth" else "GFLOP/s")
        low, high = quantity["interval"]
        assert 0 < low <= quantity["median"] <= high
        assert len(quantity["samples"]) >= 9
