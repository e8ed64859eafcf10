"""Peers: every engine that is there answers right, and its cycles stand beside ours."""

from __future__ import annotations

import pytest

from bench.engines import ARM_PEERS, missing_engines
from bench.peers import measure_peers, peers_table
from bench.rows import ENGINE
from compile.source import random_network
from compile.targets import parse_target
from deploy_rpc.arm_python import missing_arm_python_tools
from deploy_rpc.board_spec import parse_board
from deploy_rpc.network_cycles import missing_modelled_board_tools

MISSING = [*missing_arm_python_tools(), *missing_modelled_board_tools()]


@pytest.mark.skipif(bool(MISSING), reason="; ".join(MISSING) or "all there")
@pytest.mark.timeout(600)
def test_every_engine_has_a_row_and_ours_comes_first(capfd: pytest.CaptureFixture[str]) -> None:
    network = random_network("shufflenet-0.25x-g3", input_size=(32, 32))
    target, board = parse_target("cortex-a72"), parse_board("modelled:cortex-a72")
    rows = measure_peers(network, target, board)
    missing = missing_engines(ARM_PEERS)
    assert {row["engine"] for row in rows} == {ENGINE, *ARM_PEERS} - missing.keys()
    assert rows[0]["engine"] == ENGINE
    for row in rows:
        assert (row["kind"], row["unit"], row["core"]) == ("modelled", "Mcycles", "cortex-a72")
        assert 0 < row["peak_share"] < 1
        assert row["coverage"] > 0.99
    assert peers_table(rows).row_count == len(rows)
    told = capfd.readouterr().out
    assert all(f"without {name}" in told for name in missing)
