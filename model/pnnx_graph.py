"""A network that pnnx, ncnn's converter, wrote (`*.pnnx.onnx`), in ONNX's own operators.

    nn.Conv2d(x, c.bias, c.weight)             ->  Conv(x, c.weight, c.bias)
    nn.ChannelShuffle(x), groups 3             ->  Gather(x, 0 4 8 1 5 9 ...) of the channels
    pnnx.Expression(x, y), expr "add(@0,@1)"   ->  Add(x, y)

pnnx has PyTorch's operators in ONNX's container, which no ONNX runtime reads. Weights are rounded
to float16 unless it was told `fp16=False`; they are computed with as float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from model.pnnx_operators import CONVERSIONS, Call, PnnxError

INPUT, OUTPUT = "pnnx.Input", "pnnx.Output"
TUPLE, EXPRESSION = "prim::TupleConstruct", "pnnx.Expression"
OPSET = 17  # from AveragePool 19 on, ONNX Runtime pools in a scalar loop
IR_VERSION = 8
WEIGHT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16)
ELSE = (
    "export the network to ONNX itself, by `export_onnx()` of the script that pnnx wrote beside "
    "the file (*_pnnx.py) or by torch.onnx.export, and take what that writes"
)


def is_of_pnnx(model: ModelProto) -> bool:
    """Whether `model` is a graph of pnnx, and no ONNX model."""
    return any(node.op_type == INPUT for node in model.graph.node)


def has_rounded_weights(model: ModelProto) -> bool:
    """Whether weights of pnnx's graph `model` are of float16."""
    return any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer)


def in_onnx_operators(model: ModelProto) -> ModelProto:
    """pnnx's graph `model` as an ONNX model of float32, its inputs `in0`..., its outputs `out0`...

    An open extent is open there, too. Raises `PnnxError` naming the node that has no counterpart.
    """
    return _Translation(model).made()


class _Translation:
    """Nodes in their order; values keep their names but inputs and outputs of the network."""

    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._values = {value.name: value for value in model.graph.value_info}
        self._weights = [_as_float32(tensor) for tensor in model.graph.initializer]
        self._names = {tensor.name for tensor in self._weights}
        self._texts: dict[str, str] = {}
        self._tuples: dict[str, list[str]] = {}
        self._inputs: list[str] = []
        self._outputs: list[str] = []
        self._nodes: list[NodeProto] = []

    def made(self) -> ModelProto:
        for node in self._graph.node:
            self._add(node)
        ends = {name: f"in{i}" for i, name in enumerate(self._inputs)}
        ends |= {name: f"out{i}" for i, name in enumerate(self._outputs)}
        for node in self._nodes:
            node.input[:] = [ends.get(name, name) for name in node.input]
            node.output[:] = [ends.get(name, name) for name in node.output]
        graph = helper.make_graph(
            self._nodes,
            "pnnx",
            [self._end(name, ends[name]) for name in self._inputs],
            [self._end(name, ends[name]) for name in self._outputs],
            self._weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="pnnx"
        )

    def _add(self, node: NodeProto) -> None:
        given = [each for name in node.input for each in self._tuples.get(name, [name])]
        if not node.output and node.op_type != OUTPUT:
            raise self._call(node, given).error(f"it makes nothing; {ELSE}")
        if node.op_type == INPUT:
            self._inputs.extend(node.output)
        elif node.op_type == OUTPUT:
            self._outputs.extend(given)
        elif node.op_type == TUPLE:
            self._tuples[node.output[0]] = given
        elif node.op_type == EXPRESSION and not given:
            self._texts[node.output[0]] = self._call(node, given).attribute("expr", str)
        else:
            self._convert(self._call(node, given))

    def _call(self, node: NodeProto, given: Sequence[str]) -> Call:
        """pnnx calls a tensor of the layer `conv1` `conv1.weight`."""
        own = {name.removeprefix(f"{node.name}."): name for name in given if name in self._names}
        taken = [name for name in given if name not in self._names and name not in self._texts]
        shape = self._shape(taken[0]) if taken else []
        channels = shape[1] if len(shape) > 1 else 0
        return Call(node, taken, own, channels, len(shape), self._texts)

    def _convert(self, call: Call) -> None:
        convert = CONVERSIONS.get(call.node.op_type)
        if convert is None:
            raise call.error(f"possible are {', '.join(CONVERSIONS)}; {ELSE}")
        try:
            made = convert(call)
        except PnnxError as error:
            raise PnnxError(f"{error}; {ELSE}") from error
        name = call.node.output[0]
        constants = [
            numpy_helper.from_array(values, f"{name}.{i}")
            for i, values in enumerate(made.constants)
        ]
        self._weights.extend(constants)
        inputs = [*made.inputs, *(tensor.name for tensor in constants)]
        self._nodes.append(
            helper.make_node(made.operator, inputs, [name], call.node.name, **made.attributes)
        )

    def _shape(self, name: str) -> list[int]:
        """As pnnx states it; an open extent is negative."""
        if name not in self._values:
            return []
        return [dim.dim_value for dim in self._values[name].type.tensor_type.shape.dim]

    def _end(self, name: str, called: str) -> ValueInfoProto:
        """An input or output of the network."""
        shape = [extent if extent > 0 else None for extent in self._shape(name)]
        return helper.make_tensor_value_info(called, TensorProto.FLOAT, shape)


def _as_float32(tensor: TensorProto) -> TensorProto:
    """Raises `PnnxError` for what is neither float32 nor float16, `ValueError` where it is cut."""
    if tensor.data_type not in WEIGHT_TYPES:
        kind = helper.tensor_dtype_to_string(tensor.data_type)
        raise PnnxError(f"the tensor {tensor.name!r} of pnnx is of {kind}; {ELSE}")
    values = numpy_helper.to_array(tensor).astype(np.float32)
    return numpy_helper.from_array(values, tensor.name)
