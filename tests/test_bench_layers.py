"""The layers suite: its figures follow from the times, and its kernels are those of the network."""

from __future__ import annotations

import pytest

from bench.layers import NETWORK, TOTAL, LayerTimes, layer_rows, layers_table, measure_layers
from bench.peak import Peak
from compile.lower import LEVELS, Lowered, lower
from compile.targets import host_target, with_dtype
from deploy_rpc.board_spec import parse_board
from deploy_rpc.cores import Dtype
from model.workloads import layer_workloads, total_macs
from tests.small_networks import ShuffledBlock, small_network

PEAK_GFLOPS = 100.0
KERNEL_S = 2e-6


def lowered_network(level: str, threads: int = 1) -> Lowered:
    return lower(small_network(), level, host_target(), threads=threads)


def invented_times(lowered: Lowered, network_s: float) -> LayerTimes:
    """Two microseconds for every kernel."""
    names = [kernel.name for kernel in lowered.kernels]
    return LayerTimes(
        kind="measured",
        peak=Peak("measured", {8: [90.0] * 9, 12: [PEAK_GFLOPS] * 9}),
        network_s=[network_s] * 9,
        kernels_s={name: [KERNEL_S] * 4 + [1.0] + [KERNEL_S] * 4 for name in names},
        calls=dict.fromkeys([*names, NETWORK], 500),
    )


@pytest.mark.parametrize("level", LEVELS)
def test_every_kernel_has_a_row_and_the_rows_add_up(level: str) -> None:
    lowered = lowered_network(level)
    calls = sum(kernel.calls for kernel in lowered.kernels)
    peak, *kernels, total = layer_rows(lowered, invented_times(lowered, 2 * calls * KERNEL_S))
    assert peak["suite"] == "peak"
    assert [row["kernel"] for row in kernels] == [kernel.name for kernel in lowered.kernels]
    assert sum(row["calls"] * row["macs"] for row in kernels) == total["macs"]
    assert total["macs"] == total_macs(layer_workloads(ShuffledBlock(), (1, 3, 21, 21)))
    assert (total["kernel"], total["calls"]) == (TOTAL, calls)
    assert total["sum_of_kernels"] == pytest.approx(1e6 * calls * KERNEL_S)
    assert total["network_share"] == pytest.approx(0.5)
    assert sum(row["network_share"] for row in kernels) == pytest.approx(0.5)
    assert sum(row["calls"] * row["bytes"] for row in kernels) == total["bytes"]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_kernels_figures_follow_from_its_median(threads: int) -> None:
    lowered = lowered_network("fused", threads)
    _, row, *_ = layer_rows(lowered, invented_times(lowered, 1.0))
    assert (row["median"], row["unit"]) == (pytest.approx(2), "us")
    assert row["gflops"] == pytest.approx(2 * row["macs"] / KERNEL_S / 1e9)
    assert row["peak_share"] == pytest.approx(row["gflops"] / (threads * PEAK_GFLOPS))
    assert row["calls_per_sample"] == 500


@pytest.mark.parametrize(
    ("level", "dtype"), [("stock", "float32"), ("fused", "float32"), ("fused", "int8")]
)
def test_measured_rows_hold_the_peak_all_kernels_and_the_network(level: str, dtype: Dtype) -> None:
    network, target = small_network(), with_dtype(host_target(), dtype)
    rows = measure_layers(network, level, target, parse_board("local"), threads=1, rounds=9)
    kernels = lower(network, level, target).kernels
    names = [kernel.name for kernel in kernels]
    assert [row["bytes"] for row in rows[1:-1]] == [kernel.bytes for kernel in kernels]
    assert rows[0]["unit"] == {"float32": "GFLOP/s", "int8": "GOP/s"}[dtype]
    assert [row.get("kernel") for row in rows] == [None, *names, TOTAL]
    for row in rows:
        assert len(row["samples"]) >= 9
        assert min(row["samples"]) > 0
    assert layers_table(rows[1:]).row_count == len(names) + 1


def test_no_kernel_can_be_called_as_the_network_is() -> None:
    assert not NETWORK.isidentifier()
