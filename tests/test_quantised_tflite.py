"""A file made int8 computes in int8, takes and gives float32, and answers nearly the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import opcode_to_name, read_model

from bench.engine_loaders import load_litert
from bench.engine_output import correlation
from bench.quantised_tflite import quantise_tflite
from bench.tflite_network import write_tflite
from compile.quantise.inputs import synthetic_calibration
from compile.source import random_network
from model.zoo import create_model


def test_convolutions_are_int8_and_the_answer_correlates(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    size, name = (64, 64), "shufflenet-0.25x-g3"
    network = random_network(name, input_size=size)
    path, quantised = tmp_path / "network.tflite", tmp_path / "network.int8.tflite"
    write_tflite(create_model(name, input_size=size).eval(), network.input_shape, path)
    quantise_tflite(path, synthetic_calibration(network).inputs[:4], quantised)
    assert capfd.readouterr().out == ""
    model = read_model(quantised)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if "CONV" in opcode_to_name(model, operator.opcodeIndex):
            tensors = (graph.tensors[index] for index in operator.inputs[:2])
            assert {each.type for each in tensors} == {schema.TensorType.INT8}
    x = network.example_input()
    found = load_litert(str(quantised), 1)(x, 1000)
    assert found.dtype == np.float32
    assert 0.9 < correlation(found, network.reference(x)) < 1
