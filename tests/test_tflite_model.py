"""Files of TensorFlow Lite are what the runtime reads: shapes, constants, operators, signature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools.flatbuffer_utils import read_model

from bench.tflite_model import PRECISION, SIGNATURE, TfliteModel


def written_sum(path: Path, values: np.ndarray, precision: bytes | None = None) -> Path:
    """The file of a graph that adds `values` to its input."""
    model = TfliteModel()
    x = model.input("x", values.shape)
    options = schema.AddOptionsT(fusedActivationFunction=schema.ActivationFunctionType.RELU)
    y = model.operator("ADD", [x, model.constant(values)], model.shape(x), options)
    if precision:
        model.allow(precision)
    model.write(path, y)
    return path


def test_the_runtime_runs_what_is_written(tmp_path: Path) -> None:
    values = np.array([[1, -2, 3]], np.float32)
    interpreter = Interpreter(str(written_sum(tmp_path / "sum.tflite", values)))
    (given,) = interpreter.get_signature_list()[SIGNATURE]["inputs"]
    assert given == "x"
    answers = interpreter.get_signature_runner(SIGNATURE)(x=np.ones((1, 3), np.float32))
    (found,) = answers.values()
    np.testing.assert_array_equal(found, [[2, 0, 4]])  # the sum of -1 is made 0


def test_constants_are_read_as_they_were_given(tmp_path: Path) -> None:
    transposed = np.arange(6, dtype=np.float32).reshape(2, 3).T
    graph = read_model(written_sum(tmp_path / "sum.tflite", transposed))
    (tensor,) = (each for each in graph.subgraphs[0].tensors if each.buffer)
    found = np.array(graph.buffers[tensor.buffer].data, np.uint8).view(np.float32)
    np.testing.assert_array_equal(found.reshape(tensor.shape), transposed)


@pytest.mark.parametrize("precision", [None, b"fp16accfp16"])
def test_only_a_file_that_allows_it_is_computed_in_less(
    tmp_path: Path, precision: bytes | None
) -> None:
    values = np.ones((1, 2), np.float32)
    graph = read_model(written_sum(tmp_path / "sum.tflite", values, precision))
    found = {
        str(each.name, "utf-8"): bytes(np.array(graph.buffers[each.buffer].data, np.uint8))
        for each in graph.metadata or []
    }
    assert found == ({PRECISION: precision} if precision else {})


def test_an_operator_that_the_format_does_not_have_is_an_error(tmp_path: Path) -> None:
    model = TfliteModel()
    y = model.operator("SHUFFLE", [model.input("x", (1, 2))], (1, 2))
    with pytest.raises(AttributeError, match="SHUFFLE"):
        model.write(tmp_path / "never.tflite", y)
    assert not (tmp_path / "never.tflite").exists()
