"""The files that other engines get are those that they run fastest."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from bench import peer_files
from bench.engines import Engine
from bench.peer_files import PeerFiles, peer_engines
from compile.source import random_network
from deploy_rpc.cores import Dtype
from tests.small_networks import small_network


def test_average_pools_are_of_the_version_that_onnx_runtime_has_vectors_for(tmp_path: Path) -> None:
    files = PeerFiles(random_network("shufflenet-0.5x-g3", input_size=(64, 64)), tmp_path)
    model = onnx.load(files.engine("onnxruntime").model)
    assert "AveragePool" in {node.op_type for node in model.graph.node}
    assert [opset.version for opset in model.opset_import if not opset.domain] == [17]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_litert_s_file_says_whether_it_may_be_computed_in_float16(
    tmp_path: Path, dtype: Dtype
) -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    path = PeerFiles(network, tmp_path, dtype).engine("litert").model
    assert (b"fp16accfp16" in Path(path).read_bytes()) == (dtype == "float16")


def test_a_converter_that_fails_in_any_way_costs_its_own_engine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_files, "missing_engines", lambda _: {})
    monkeypatch.setattr(PeerFiles, "_onnx", lambda _: "its file")

    def fails(_: PeerFiles) -> str:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(PeerFiles, "_ncnn", fails)
    made, failed = peer_engines(small_network(), ("ncnn", "onnxruntime"), tmp_path)
    assert made == {"onnxruntime": Engine("onnxruntime", "its file")}
    assert failed == {
        peer_files.of_network("ncnn", small_network()): "its file of the network cannot be made: "
        "RuntimeError: no such operator"
    }
