"""Weights beside an ONNX file are inputs, too: their hashes stand in reports."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compile.frontend.onnx_import import import_onnx
from model.onnx_network import load_onnx_network
from model.onnx_weights import weight_files

SHAPE = (1, 3, 8, 6)


def scores() -> onnx.ModelProto:
    """The means over pixels, times a matrix that a constant node holds, and a bias."""
    matrix = numpy_helper.from_array(np.ones((3, 4), np.float32), "matrix")
    nodes = [
        helper.make_node("Constant", [], ["w"], value=matrix),
        helper.make_node("GlobalAveragePool", ["x"], ["pixel"]),
        helper.make_node("Flatten", ["pixel"], ["means"]),
        helper.make_node("Gemm", ["means", "w", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))],
        [numpy_helper.from_array(np.arange(4, dtype=np.float32), "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """The network with each of its two tensors in a file of its own."""
    path = tmp_path / "net.onnx"
    words = {"save_as_external_data": True, "size_threshold": 0, "convert_attribute": True}
    onnx.save(scores(), path, all_tensors_to_one_file=False, **words)
    return path


def test_weights_within_the_file_are_no_other_files(tmp_path: Path) -> None:
    onnx.save(scores(), tmp_path / "net.onnx")
    assert weight_files(tmp_path / "net.onnx") == {}


def test_every_file_of_weights_is_named_with_its_hash(split: Path) -> None:
    others = sorted(path for path in split.parent.iterdir() if path != split)
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in others}
    assert len(expected) == 2
    assert weight_files(split) == expected


def test_reports_of_builds_and_evaluations_tell_networks_of_other_weights_apart(
    split: Path,
) -> None:
    def reported() -> tuple[dict[str, str], dict[str, str]]:
        network = import_onnx(split, input_size=None, preprocessing="imagenet")
        return network.provenance["weight_files"], load_onnx_network(split).weight_files

    before = reported()
    assert before[0] == before[1] == weight_files(split)
    data = next(path for path in split.parent.iterdir() if path != split)
    data.write_bytes(bytes(reversed(data.read_bytes())))
    after = reported()
    assert after[0] == after[1] != before[0]
