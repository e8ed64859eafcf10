"""Groups: networks of equal complexity side by side, measured here and modelled."""

from __future__ import annotations

import dataclasses

import pytest

from bench.groups import MODELS, groups_table, measure_groups
from compile.network import Network
from compile.targets import host_target, parse_target
from deploy_rpc.board_spec import parse_board
from model.workloads import layer_workloads, total_macs
from model.zoo import create_model
from tests.needs import needs_modelled_board
from tests.small_networks import ShuffledBlock, small_network


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    return [
        dataclasses.replace(small_network(ShuffledBlock(groups)), name=f"{groups} groups")
        for groups in (1, 3)
    ]


def test_the_papers_networks_differ_little_in_macs() -> None:
    shape = (1, 3, 224, 224)
    macs = [total_macs(layer_workloads(create_model(name), shape)) for name in MODELS]
    assert max(macs) / min(macs) < 1.07


def test_each_network_is_timed_with_its_macs(networks: list[Network]) -> None:
    rows = measure_groups(networks, "fused", host_target(), parse_board("local"), rounds=9)
    assert [row["model"] for row in rows] == [network.name for network in networks]
    for row in rows:
        assert (row["suite"], row["kind"], row["unit"]) == ("groups", "measured", "ms")
        assert row["gflops"] == pytest.approx(2e-6 * row["macs"] / row["median"])
        assert len(row["samples"]) == 9
        assert row["parameters"] > 0
    assert groups_table(rows).row_count == 2


@needs_modelled_board
def test_the_modelled_board_has_cycles_of_them(networks: list[Network]) -> None:
    board = parse_board("modelled:cortex-a72")
    rows = measure_groups(networks, "fused", parse_target("cortex-a72"), board, rounds=9)
    for row in rows:
        assert (row["kind"], row["unit"], row["core"]) == ("modelled", "Mcycles", "cortex-a72")
        assert 0 < row["peak_share"] < 1
    assert groups_table(rows).row_count == 2
