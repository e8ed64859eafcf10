"""What in an ONNX graph rules out that it is ever computed, in words of its nodes and tensors."""

from __future__ import annotations

import graphlib

from onnx import GraphProto, NodeProto

SHOWN = 4  # nodes of a cycle


def contradiction_in(graph: GraphProto) -> str | None:
    """A tensor of negative size or a cycle of nodes, the first that is found; None for neither."""
    for tensor in graph.initializer:
        if any(extent < 0 for extent in tensor.dims):
            shape = "x".join(map(str, tensor.dims))
            return f"the tensor {tensor.name!r} has a negative size, {shape}"
    return _cycle_in(graph)


def _cycle_in(graph: GraphProto) -> str | None:
    """Which node needs its own result, and through which others."""
    maker = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    needs = {
        place: {maker[name] for name in node.input if name in maker}
        for place, node in enumerate(graph.node)
    }
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        first, *others = (graph.node[place] for place in error.args[1][:-1])
        others = [_named(node) for node in others]
        through = ", ".join(others[:SHOWN]) + (", ..." if len(others) > SHOWN else "")
        return f"{_named(first)} needs its own result" + (f", through {through}" if through else "")
    return None


def _named(node: NodeProto) -> str:
    name = node.name or f"that makes {', '.join(node.output)}"
    return f"node {name!r} ({node.op_type})"
