"""The files that other engines get are those that they run fastest."""

from __future__ import annotations

from pathlib import Path

import onnx

from bench.engines import PeerFiles
from compile.source import random_network


def test_average_pools_are_of_the_version_that_onnx_runtime_has_vectors_for(tmp_path: Path) -> None:
    files = PeerFiles(random_network("shufflenet-0.5x-g3", input_size=(64, 64)), tmp_path)
    model = onnx.load(files.engine("onnxruntime").model)
    assert "AveragePool" in {node.op_type for node in model.graph.node}
    assert [opset.version for opset in model.opset_import if not opset.domain] == [17]
