"""Arithmetic on sizes and generated weights is done at import: no node of it is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from compile.frontend.onnx_constants import FoldedGraph, fold_constants
from compile.frontend.onnx_file import OnnxError, load_onnx, picture_input
from tests.onnx_dialects import Dialect, write_dialect


def folded(nodes: list, inputs: tuple[int, ...] = (1, 3, 4, 4), **constants: object) -> FoldedGraph:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)
    y = helper.make_empty_tensor_value_info("y")
    arrays = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return fold_constants(model, picture_input(model, None))


def test_traced_sizes_leave_plain_reshapes(tmp_path: Path) -> None:
    model = load_onnx(write_dialect(Dialect(shuffle="dynamic", dynamic=True), tmp_path)).model
    graph = fold_constants(model, picture_input(model, (32, 32)))
    left = [node.op_type for node in graph.graph.node]
    assert not {"Shape", "Gather", "Unsqueeze"} & set(left)
    assert left.count("Concat") == 1
    assert left.count("Reshape") == 5


def test_a_part_of_a_shape_is_a_constant() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["sizes"], start=-2, end=4),
        helper.make_node("ConstantOfShape", ["sizes"], ["zeros"]),
        helper.make_node("Add", ["x", "zeros"], ["y"]),
    ]
    graph = folded(nodes, (1, 3, 5, 4))
    assert [node.op_type for node in graph.graph.node] == ["Add"]
    assert graph.constants["zeros"].shape == (5, 4)


def test_generated_weights_are_parameters() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    graph = folded(nodes, shape=np.array([2, 3, 3, 3]))
    assert [node.op_type for node in graph.graph.node] == ["Conv"]
    assert graph.parameters == 2 * 3 * 3 * 3


GROWING = {
    "Tile": ["one", "sizes"],
    "Expand": ["one", "sizes"],
    "ConstantOfShape": ["sizes"],
}


def grown(operator: str, root: int) -> FoldedGraph:
    """x and what `operator` makes of a size of `root`^2, which ONNX's inference cannot compute."""
    nodes = [
        helper.make_node("Pow", ["roots", "two"], ["sizes"]),
        helper.make_node(operator, GROWING[operator], ["w"], name="grown"),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    one = np.ones((1, 1, 1, 1), np.float32)
    sizes = {"roots": np.array([1, 1, root, root]), "two": np.array([2])}
    return folded(nodes, (1, 3, 1, 1), one=one, **sizes)


@pytest.mark.parametrize("operator", GROWING)
def test_what_is_of_a_computed_size_is_computed_once_that_is_known(operator: str) -> None:
    graph = grown(operator, 2)
    assert [node.op_type for node in graph.graph.node] == ["Add"]
    assert graph.constants["w"].shape == (1, 1, 4, 4)


@pytest.mark.parametrize("operator", GROWING)
def test_what_is_of_a_computed_huge_size_is_refused_before_it_is_made(operator: str) -> None:
    with pytest.raises(OnnxError, match=r"'grown' .* 1x1x1048576x1048576; at most"):
        grown(operator, 1 << 10)


def test_what_is_no_larger_than_its_input_is_computed_whatever_its_size() -> None:
    nodes = [
        helper.make_node("NonZero", ["values"], ["places"]),
        helper.make_node("Squeeze", ["places"], ["axes"]),
        helper.make_node("Unsqueeze", ["x", "axes"], ["y"]),
    ]
    graph = folded(nodes, values=np.array([1, 0, 1, 0, 0]))
    assert [node.op_type for node in graph.graph.node] == ["Unsqueeze"]
    assert graph.constants["axes"].tolist() == [0, 2]


def test_outputs_that_nobody_takes_are_dropped() -> None:
    graph = folded([helper.make_node("Dropout", ["x"], ["y", "mask"])])
    assert list(graph.graph.node[0].output) == ["y"]


def test_every_node_has_a_name() -> None:
    graph = folded([helper.make_node("Relu", ["x"], ["y"])])
    assert graph.graph.node[0].name == "that makes y"


def test_what_cannot_be_computed_names_the_node() -> None:
    nodes = [
        helper.make_node("Gather", ["values", "places"], ["w"], name="behind"),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    with pytest.raises(OnnxError, match=r"node 'behind' \(Gather\) cannot be computed"):
        folded(nodes, values=np.ones(5, np.float32), places=np.array([7]))
