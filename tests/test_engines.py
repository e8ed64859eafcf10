"""The files that other engines get are those that they run fastest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from bench.engines import EngineError, PeerFiles, check_output
from compile.source import random_network
from deploy_rpc.cores import Dtype


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


def test_int8_is_right_where_it_correlates_with_float32() -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    expected = np.random.default_rng(0).standard_normal((1, 1000))
    noise = np.random.default_rng(1).standard_normal((1, 1000))
    check_output("peer", network, expected + 0.3 * noise, expected, "int8")
    with pytest.raises(EngineError, match=r"answers wrong .* correlation with PyTorch .* is 0.7"):
        check_output("peer", network, expected + noise, expected, "int8")
    with pytest.raises(EngineError, match=r"is nan, at least 0\.9"):
        check_output("peer", network, np.zeros((1, 1000)), expected, "int8")


def test_integers_have_to_be_the_same() -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    exact = dataclasses.replace(network, tolerance=0.0)
    expected = np.arange(1000.0).reshape(1, 1000)
    check_output("ours", exact, expected.copy(), expected, "int8")
    with pytest.raises(EngineError, match=r"error 0\.001"):
        check_output("ours", exact, expected + 1, expected, "int8")
