"""Operators that TVM's importer spells badly come out as passes know them, with ONNX's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compile.frontend.onnx_file import OnnxError
from compile.frontend.onnx_import import import_onnx
from compile.network import Network
from tests.test_fold_batch_norm import operators, run

INT = np.int64


def imported(
    folder: Path,
    operator: str,
    *,
    inputs: tuple[np.ndarray, ...] = (),
    opset: int = 17,
    domain: str = "",
    made: int = TensorProto.FLOAT,
    rank: int = 4,
    **attrs: object,
) -> Network:
    """The network of one node `what`; `inputs` are the constants behind the picture."""
    names = [f"c{index}" for index in range(len(inputs))]
    arrays = [numpy_helper.from_array(v, n) for n, v in zip(names, inputs, strict=True)]
    node = helper.make_node(operator, ["x", *names], ["y"], "what", domain=domain, **attrs)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 9, 8))
    y = helper.make_tensor_value_info("y", made, [None] * rank)
    graph = helper.make_graph([node], "g", [x], [y], arrays)
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, 1)] if domain else []
    path = folder / "node.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return import_onnx(path, input_size=None, preprocessing="imagenet")


W = np.random.default_rng(0).standard_normal((2, 3, 3, 3)).astype(np.float32)
POOL = {"kernel_shape": [3, 3], "strides": [2, 2]}
# fmt: off
NODES = {
    "SAME_UPPER":   ("Conv", {"inputs": (W,), "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "SAME_LOWER":   ("Conv", {"inputs": (W,), "auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    "with a bias":  ("Conv", {"inputs": (W, W[:, 0, 0, 0]), "pads": [0, 1, 2, 0]}),
    "max, ceil":    ("MaxPool", {**POOL, "ceil_mode": 1}),
    "max, SAME":    ("MaxPool", {**POOL, "auto_pad": "SAME_UPPER"}),
    "ceil":         ("AveragePool", {**POOL, "ceil_mode": 1}),
    "ceil, padded": ("AveragePool", {**POOL, "ceil_mode": 1, "pads": [1] * 4}),
    "counted":      ("AveragePool", {**POOL, "count_include_pad": 1, "pads": [1] * 4}),
    "not counted":  ("AveragePool", {**POOL, "pads": [1] * 4}),
    "pad":          ("Pad", {"inputs": (np.array([0, 0, 1, 0, 0, 0, 0, 2]),)}),
    "pad with 3":   ("Pad", {"inputs": (np.array([0, 1] * 4), np.float32(3))}),
    "pad by axes":  ("Pad", {"inputs": (np.array([1, 2]), np.float32(0), np.array([3])),
                             "opset": 18}),
    "pad, opset 9": ("Pad", {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "opset": 9}),
    "LRN":          ("LRN", {"size": 3, "alpha": 0.5, "bias": 2.0}),
    "Dropout":      ("Dropout", {}),
    "Gather":       ("Gather", {"inputs": (np.array([2, -3, 1]),), "axis": 1}),
    "a row":        ("Gather", {"inputs": (np.array(1),), "axis": 2, "rank": 3}),
}
# fmt: on


@pytest.mark.parametrize("name", NODES)
def test_a_node_gives_onnx_runtimes_numbers(name: str, tmp_path: Path) -> None:
    operator, attributes = NODES[name]
    network = imported(tmp_path, operator, **attributes)
    x = network.example_input()
    # float32 sums of 27 products in another order
    np.testing.assert_allclose(run(network.module, x), network.reference(x), rtol=1e-4, atol=1e-5)


def test_sums_are_adds(tmp_path: Path) -> None:
    network = imported(tmp_path, "Sum", inputs=(np.float32(1).reshape(1), np.ones(8, np.float32)))
    assert operators(network.module) == ["add", "add"]


@pytest.mark.parametrize(
    ("operator", "options", "message"),
    [
        (
            "Bernoulli",
            {},
            r"node 'what' \(Bernoulli\) is no operator that can be compiled; possible are Conv",
        ),
        ("Relu", {"domain": "com.microsoft"}, r"\(Relu\) is an operator of com\.microsoft; only"),
        ("NonZero", {"made": TensorProto.INT64, "rank": 2}, r"\(NonZero\) makes int64"),
        (
            "Cast",
            {"to": TensorProto.DOUBLE, "made": TensorProto.DOUBLE},
            r"\(Cast\) makes double, .* only float32",
        ),
        (
            "AveragePool",
            {**POOL, "ceil_mode": 1, "count_include_pad": 1, "pads": [1, 1, 0, 0]},
            r"\(AveragePool\) cannot be compiled: ceil_mode .*; possible are pools",
        ),
        (
            "Pad",
            {"inputs": (np.array([0, 0, 1, 1] * 2),), "mode": "wrap", "opset": 19},
            r"\(Pad\) cannot be compiled: mode wrap; possible are constant, reflect and edge",
        ),
    ],
)
def test_what_is_not_supported_names_node_operator_and_what_is(
    operator: str, options: dict, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OnnxError, match=message):
        imported(tmp_path, operator, **options)
