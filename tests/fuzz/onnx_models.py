"""Strategy: a sound ONNX graph with a few edits that leave it a file, but hardly a network."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, NodeProto, helper

MOST_EDITS = 3
OPERATORS = (
    "Conv", "BatchNormalization", "Relu", "Clip", "Add", "Sum", "Mul", "Concat", "Reshape",
    "Transpose", "MaxPool", "AveragePool", "GlobalAveragePool", "Gemm", "MatMul", "Flatten",
    "Split", "Slice", "Gather", "Pad", "Identity", "Dropout", "LRN", "Softmax", "Shape", "Constant",
    "Unsqueeze", "Squeeze", "ReduceMean", "Cast", "Loop", "If", "NoSuchOperator", "",
)  # fmt: skip
EXTENTS = st.sampled_from([0, -1, 1, 2, 3, 7, 8, 255, 2**31 - 1, 2**31, 2**62, -(2**63)])


@st.composite
def edited_onnx(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """One of `originals` with other operators, attributes, shapes, weights or edges."""
    model = onnx.ModelProto.FromString(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, MOST_EDITS))):
        _edit(draw, model.graph)
    if draw(st.integers(0, 9)) == 0:
        model.opset_import[0].version = draw(st.integers(-1, 30))
    return model.SerializeToString()


def _edit(draw: st.DrawFn, graph: GraphProto) -> None:
    node = draw(st.sampled_from(list(graph.node)))
    names = [name for each in graph.node for name in (*each.input, *each.output)]
    match draw(st.integers(0, 6)):
        case 0:
            node.op_type = draw(st.sampled_from(OPERATORS))
        case 1:
            _edit_attribute(draw, node)
        case 2 if node.input:
            at = draw(st.integers(0, len(node.input) - 1))
            node.input[at] = draw(st.sampled_from([*names, "", "nothing"]))
        case 3 if node.input:
            del node.input[draw(st.integers(0, len(node.input) - 1))]
        case 4:
            values = draw(st.sampled_from([graph.input[0], graph.output[0]]))
            dimensions = values.type.tensor_type.shape.dim
            draw(st.sampled_from(list(dimensions))).dim_value = draw(EXTENTS)
        case 5:
            weights = draw(st.sampled_from(list(graph.initializer)))
            at = draw(st.integers(0, len(weights.dims) - 1))
            weights.dims[at] = draw(EXTENTS)
        case _:
            graph.node.insert(draw(st.integers(0, len(graph.node))), node)


def _edit_attribute(draw: st.DrawFn, node: NodeProto) -> None:
    names = ["kernel_shape", "strides", "pads", "dilations", "group", "axis", "perm", "epsilon",
             "auto_pad", "ceil_mode", "count_include_pad", "alpha", "transB"]  # fmt: skip
    attribute = draw(st.sampled_from([*node.attribute, None]))
    if attribute is None:
        attribute = node.attribute.add(name=draw(st.sampled_from(names)))
    value = draw(
        st.lists(EXTENTS, max_size=5)
        | EXTENTS
        | st.floats()
        | st.sampled_from(["SAME_UPPER", "VALID", "x"])
    )
    attribute.CopyFrom(_attribute(attribute.name, value))


def _attribute(name: str, value: list[int] | int | float | str) -> AttributeProto:
    if value == []:
        return helper.make_attribute(name, [0])
    return helper.make_attribute(name, value)
