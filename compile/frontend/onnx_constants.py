"""What does not depend on the picture is computed: an ONNX graph without arithmetic on shapes.

    Reshape(x, Concat(Unsqueeze(Gather(Shape(x), 0)), [3, 20]))       ->   Reshape(x, [1, 3, 20])
    Conv(x, ConstantOfShape([24, 3, 3, 3]))                           ->   Conv(x, W)

Every exporter spells sizes, pads and generated weights in its own way; with the input's shape fixed
they are all constants, which onnx's reference evaluator computes node by node.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    ValueInfoProto,
    helper,
    numpy_helper,
    shape_inference,
)
from onnx.reference import ReferenceEvaluator

from compile.frontend.onnx_file import OnnxError, OnnxInput, first_line

MAX_VALUES = 1 << 28  # of one tensor: 1 GiB of float32
PROPAGATED_VALUES = 1024  # constants so small take part in shape inference, the others by shape
BOUNDED = ("Compress", "NonZero", "Unique")  # of a shape by values, not larger than what is given
RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial")
TO_CHANNELS_LAST = (0, 2, 3, 1)

TypeAndShape = tuple[int, tuple[int | None, ...]]
UNKNOWN: TypeAndShape = (0, (None,))


@dataclass(frozen=True)
class FoldedGraph:
    """A graph of one NCHW picture: nodes in order, and everything else they take, by name.

    `types` holds the element type and the shape of each value, as far as ONNX can tell them; a
    dimension that it cannot tell is None.
    """

    graph: GraphProto
    constants: dict[str, np.ndarray]
    types: dict[str, TypeAndShape]

    @property
    def parameters(self) -> int:
        """Values of all float constants that nodes take."""
        used = {name for node in self.graph.node for name in node.input}
        arrays = [values for name, values in self.constants.items() if name in used]
        return sum(values.size for values in arrays if values.dtype.kind == "f")


def fold_constants(model: ModelProto, picture: OnnxInput) -> FoldedGraph:
    """`model` for one size of picture, its constants computed; every node has a name.

    A picture with its channels last comes in as (N, C, H, W) and is transposed first. Raises
    `OnnxError` naming the node where shapes do not fit, or where a tensor would not fit memory.
    """
    constants = {tensor.name: _array(tensor) for tensor in model.graph.initializer}
    nodes = [_named(node) for node in model.graph.node]
    graph = helper.make_graph(
        nodes, "folded", [_picture(picture)], [_untyped(value) for value in model.graph.output]
    )
    if picture.channels_last:
        graph.input[0].name = f"{picture.name}_nchw"
        transposed = helper.make_node(
            "Transpose", [graph.input[0].name], [picture.name], "to_nhwc", perm=TO_CHANNELS_LAST
        )
        graph.node.insert(0, transposed)
    while True:
        types = _inferred(model, graph, constants)
        kept = [node for node in graph.node if not _fold(node, model, types, constants)]
        if len(kept) == len(graph.node):
            _drop_unused_outputs(graph)
            return FoldedGraph(graph, constants, types)
        del graph.node[:]
        graph.node.extend(kept)


def _fold(
    node: NodeProto,
    model: ModelProto,
    types: dict[str, TypeAndShape],
    constants: dict[str, np.ndarray],
) -> bool:
    """Whether `node` needs no picture; what it makes is then among `constants`.

    One that makes a tensor of a size not known yet waits: what says it may be computed first, and a
    tensor beyond `MAX_VALUES` is refused before it is made.
    """
    if node.op_type == "Shape" and None not in types.get(node.input[0], UNKNOWN)[1]:
        ends = {attribute.name: attribute.i for attribute in node.attribute}
        shape = types[node.input[0]][1][ends.get("start", 0) : ends.get("end")]
        constants[node.output[0]] = np.array(shape, np.int64)
        return True
    has_graph = any(attribute.type == AttributeProto.GRAPH for attribute in node.attribute)
    given = [name for name in node.input if name]
    if has_graph or node.op_type in RANDOM or not all(name in constants for name in given):
        return False
    made = [name for name in node.output if name]
    sizes_known = not any(None in types.get(name, UNKNOWN)[1] for name in made)
    if not sizes_known and node.op_type not in BOUNDED:
        return False
    single = helper.make_graph(
        [node],
        "single",
        [helper.make_empty_tensor_value_info(name) for name in given],
        [helper.make_empty_tensor_value_info(name) for name in made],
    )
    whole = helper.make_model(single, opset_imports=model.opset_import)
    try:
        values = ReferenceEvaluator(whole).run(None, {name: constants[name] for name in given})
    except Exception as error:  # whatever the evaluator meets in values of a file
        raise OnnxError(
            f"node {node.name!r} ({node.op_type}) cannot be computed: {first_line(error)}"
        ) from error
    constants.update(zip(made, map(np.asarray, values), strict=True))
    return True


def _drop_unused_outputs(graph: GraphProto) -> None:
    """The mask of a Dropout, the indices of a MaxPool."""
    taken = {name for node in graph.node for name in node.input}
    taken |= {value.name for value in graph.output}
    for node in graph.node:
        while len(node.output) > 1 and node.output[-1] not in taken:
            del node.output[-1]


def _inferred(
    model: ModelProto, graph: GraphProto, constants: dict[str, np.ndarray]
) -> dict[str, TypeAndShape]:
    """Element type and shape of all values, by ONNX's own inference."""
    used = {name for node in graph.node for name in node.input}
    typed = GraphProto()
    typed.CopyFrom(graph)
    for name in used & constants.keys():
        values = constants[name]
        if values.size <= PROPAGATED_VALUES:
            typed.initializer.append(numpy_helper.from_array(values, name))
        else:
            kind = helper.np_dtype_to_tensor_dtype(values.dtype)
            typed.input.append(helper.make_tensor_value_info(name, kind, values.shape))
    whole = helper.make_model(typed, opset_imports=model.opset_import)
    try:
        inferred = shape_inference.infer_shapes(whole, strict_mode=True, data_prop=True).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise OnnxError(f"shapes do not fit: {first_line(error)}") from error
    values = [*inferred.input, *inferred.value_info, *inferred.output]
    types = {value.name: _type_of(value) for value in values}
    for node in graph.node:
        for name in node.output:
            _refuse_huge(node, types.get(name, UNKNOWN)[1])
    return types


def _refuse_huge(node: NodeProto, shape: tuple[int | None, ...]) -> None:
    extents = [extent for extent in shape if extent is not None]
    if any(extent < 0 for extent in extents) or math.prod(extents) > MAX_VALUES:
        raise OnnxError(
            f"node {node.name!r} ({node.op_type}) makes a tensor of {'x'.join(map(str, shape))}; "
            f"at most {MAX_VALUES:,} values are possible"
        )


def _type_of(value: ValueInfoProto) -> TypeAndShape:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return kind.elem_type, UNKNOWN[1]
    return kind.elem_type, tuple(
        dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim
    )


def _array(tensor: helper.TensorProto) -> np.ndarray:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        shape = "x".join(map(str, tensor.dims))
        raise OnnxError(
            f"the tensor {tensor.name!r} of {shape} cannot be read: {first_line(error)}"
        ) from error


def _named(node: NodeProto) -> NodeProto:
    named = NodeProto()
    named.CopyFrom(node)
    named.name = node.name or f"that makes {', '.join(node.output) or 'nothing'}"
    return named


def _picture(picture: OnnxInput) -> ValueInfoProto:
    return helper.make_tensor_value_info(picture.name, helper.TensorProto.FLOAT, picture.nchw_shape)


def _untyped(value: ValueInfoProto) -> ValueInfoProto:
    """An output without the shape that the file claims: it may be of another batch or size."""
    return helper.make_empty_tensor_value_info(value.name)
