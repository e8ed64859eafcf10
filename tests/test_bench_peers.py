"""Peers: every engine that is there answers right, and its cycles stand beside ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import peer_files, peers
from bench.engine_loaders import OTHER_TYPES
from bench.engines import ARM_PEERS, ARM_PEERS_IN, Engine, missing_engines
from bench.limited import EngineError
from bench.peer_files import PeerFiles, of_network
from bench.peers import check_arithmetic, measure_peers, peers_table
from bench.rows import ENGINE
from compile.source import random_network
from compile.targets import parse_target
from deploy_rpc.arm_python import missing_arm_python_tools
from deploy_rpc.board_spec import parse_board
from deploy_rpc.cycles import CycleReport, HotBlock
from deploy_rpc.emulated_program import ProgramError
from deploy_rpc.network_cycles import missing_modelled_board_tools
from tests.needs import skip_for
from tests.small_networks import small_network

ONE_PEER = ("onnxruntime",)  # each takes half a minute, most of it to be imported
MISSING = [*missing_arm_python_tools(), *missing_modelled_board_tools()]


@skip_for(MISSING)
@pytest.mark.timeout(600)
def test_each_engine_has_a_row_and_ours_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARM_PEERS_IN, "float32", ONE_PEER)
    network = random_network("shufflenet-0.25x-g3", input_size=(32, 32))
    target, board = parse_target("cortex-a72"), parse_board("modelled:cortex-a72")
    rows, failed = measure_peers(network, target, board)
    missing = missing_engines(ONE_PEER)
    assert failed == missing
    assert {row["engine"] for row in rows} == {ENGINE, *ONE_PEER} - missing.keys()
    assert rows[0]["engine"] == ENGINE
    for row in rows:
        assert (row["kind"], row["unit"], row["core"]) == ("modelled", "Mcycles", "cortex-a72")
        assert 0 < row["peak_share"] < 1
        assert row["coverage"] > 0.99
    assert peers_table(rows).row_count == len(rows)


class _PricedAlike:
    """In place of `_Run`: every engine takes ten cycles, but some fail."""

    def __init__(self, failing: dict[str, Exception]) -> None:
        self._failing = failing

    def report(self, engine: Engine, _: object) -> CycleReport:
        if engine.name in self._failing:
            raise self._failing[engine.name]
        return report_of()


@pytest.fixture
def priced_alike(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """Engines without QEMU; to be filled with what fails, by name."""
    failing: dict[str, Exception] = {}
    monkeypatch.setattr(peers, "arm_python", lambda *_: None)
    monkeypatch.setattr(peer_files, "missing_engines", lambda _: {})
    monkeypatch.setattr(peers, "_Run", lambda *_: _PricedAlike(failing))
    monkeypatch.setattr(PeerFiles, "engine", lambda _, name: Engine(name, "its file"))
    return failing


def test_a_peer_that_fails_on_a_modelled_board_is_named_and_costs_no_other_row(
    priced_alike: dict[str, Exception],
) -> None:
    priced_alike["ncnn"] = EngineError("ncnn answers wrong")
    priced_alike["mnn"] = ProgramError("it ended with -11 under QEMU")
    target = parse_target("cortex-a72")
    rows, failed = measure_peers(small_network(), target, parse_board("modelled"))
    assert [row["engine"] for row in rows] == [ENGINE, "onnxruntime", "litert"]
    assert failed == {
        of_network("ncnn", small_network()): "ncnn answers wrong",
        of_network("mnn", small_network()): "it ended with -11 under QEMU",
    }


def test_ours_that_fails_on_a_modelled_board_ends_the_run(
    priced_alike: dict[str, Exception],
) -> None:
    priced_alike[ENGINE] = EngineError("ours answers wrong")
    with pytest.raises(EngineError, match="ours answers wrong"):
        measure_peers(small_network(), parse_target("cortex-a72"), parse_board("modelled"))


def test_engines_that_compute_in_a_number_format_have_a_loader_for_it() -> None:
    assert ARM_PEERS_IN["float32"] == ARM_PEERS
    for dtype, loaders in OTHER_TYPES.items():
        assert set(loaders) == set(ARM_PEERS_IN[dtype])


def test_an_engine_that_silently_computes_in_float32_is_no_peer_in_float16() -> None:
    single = report_of("ldr q1, [x0]", "fmla v0.4s, v1.4s, v2.s[0]")
    check_arithmetic("ncnn", single, "float32")
    with pytest.raises(EngineError, match="ncnn was asked for float16, but none of its 1 hottest"):
        check_arithmetic("ncnn", single, "float16")
    check_arithmetic("ncnn", report_of("fmla v31.8h, v1.8h, v2.h[7]"), "float16")


def test_an_engine_that_silently_computes_in_float32_is_no_peer_in_int8() -> None:
    with pytest.raises(EngineError, match="onnxruntime was asked for int8"):
        check_arithmetic("onnxruntime", report_of("fmla v0.4s, v1.4s, v2.s[0]"), "int8")
    check_arithmetic("onnxruntime", report_of("udot v16.4s, v8.16b, v4.4b[0]"), "int8")


def test_peers_in_int8_are_given_files_of_int8(tmp_path: Path) -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    made = PeerFiles(network, tmp_path, "int8")
    files = [Path(made.engine(name).model).name for name in ARM_PEERS_IN["int8"]]
    assert files == ["network.int8.onnx", "network.int8.tflite"]


def report_of(*disassembly: str) -> CycleReport:
    block = HotBlock(0, 1, 10.0, disassembly)
    return CycleReport("neoverse-n1", "neoverse-n1", 10.0, 2, 1, 0, 0, 0, 1.0, (block,), ())
