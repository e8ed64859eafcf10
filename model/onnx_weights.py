"""The files beside an ONNX file that hold its weights, by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx.external_data_helper import ExternalDataInfo, uses_external_data


def weight_files(path: Path) -> dict[str, str]:
    """Of every other file that the sound ONNX file at `path` keeps weights in, its SHA-256.

    By their names as the file has them, in order; none where all weights are in the file itself.
    """
    graph = onnx.load(path, load_external_data=False).graph
    outside = (tensor for tensor in _tensors(graph) if uses_external_data(tensor))
    names = sorted({ExternalDataInfo(tensor).location for tensor in outside})
    return {name: hashlib.sha256((path.parent / name).read_bytes()).hexdigest() for name in names}


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Initializers, and the values of constants, of inner graphs too."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for inner in (attribute.g, *attribute.graphs):
            yield from _tensors(inner)
