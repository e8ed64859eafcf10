"""Folded ONNX graph to Relax: TVM's importer, with operators converted so that passes see them.

    Sum(a, b, c)          ->   add(add(a, b), c)             TVM: broadcast_to, stack, sum
    Pad(x)                ->   nn.pad(x)                     TVM: a kernel, made on the spot
    LRN(x)                ->   as PyTorch spells it out, which `fuse_lrn` takes
    Dropout(x)            ->   x                             TVM: a mask beside it
    Gather(x, order)      ->   take(x, order)                TVM: with order computed at run time
    Conv, MaxPool, AveragePool: ceil and auto_pad become plain paddings

Every error names the node, its operator and what is possible.
"""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from onnx import GraphProto, NodeProto, TensorProto
from tvm import relax
from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter, _get_convert_map

from compile.frontend.onnx_constants import UNKNOWN, FoldedGraph
from compile.frontend.onnx_file import OPERATORS, OnnxError, first_line
from compile.passes.rewriting import shape_of

Attributes = dict[str, Any]
Operands = list[relax.Expr | None]


def to_relax(folded: FoldedGraph, opset: int) -> tvm.IRModule:
    """One function `main` of the picture; raises `OnnxError` for the first node it cannot take."""
    taken = {name for node in folded.graph.node for name in node.input}
    taken |= {value.name for value in folded.graph.output}
    for node in folded.graph.node:
        _check(node, folded, taken)
    importer = _Importer(folded)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # renamed values
        return importer.from_onnx(folded.graph, opset)


class _Importer(ONNXGraphImporter):
    """TVM's, with constants as arrays, our conversions first, and errors that name the node."""

    def __init__(self, folded: FoldedGraph) -> None:
        super().__init__({}, "float32", keep_params_in_input=False, sanitize=True)
        self._constants = folded.constants

    def _parse_graph_initializers(self, graph: GraphProto) -> None:
        used = {name for node in graph.node for name in node.input}
        used |= {value.name for value in graph.output}
        self._nodes |= {
            name: relax.const(values) for name, values in self._constants.items() if name in used
        }

    def _convert_operator(
        self, op_name: str, inputs: Operands, attrs: Attributes, opset: int
    ) -> relax.Expr:
        own = CONVERSIONS.get(op_name)
        try:
            converted = own(self.bb, list(inputs), attrs) if own else None
            if converted is not None:
                return self.bb.normalize(converted)
            return super()._convert_operator(op_name, inputs, attrs, opset)
        except Exception as error:  # TVM raises anything from AssertionError to TVMError
            name = attrs["tvm_custom"]["name"]
            raise OnnxError(
                f"node {name!r} ({op_name}) cannot be compiled: {first_line(error)}"
            ) from error


def _check(node: NodeProto, folded: FoldedGraph, taken: set[str]) -> None:
    """Raises `OnnxError` for what no conversion takes; outputs not `taken` may be anything."""
    what = f"node {node.name!r} ({node.op_type})"
    if node.domain not in OPERATORS:
        raise OnnxError(
            f"{what} is an operator of {node.domain}; only those of ONNX itself are possible: "
            "export the network without custom operators or quantisation"
        )
    if node.op_type not in CONVERSIONS and node.op_type not in _get_convert_map():
        raise OnnxError(
            f"{what} is no operator that can be compiled; possible are Conv, BatchNormalization, "
            f"Gemm, pools, Relu, Add, Concat, Reshape, Transpose and {len(_get_convert_map())} "
            "others: export the network without it"
        )
    for name in taken.intersection(node.output):
        kind, shape = folded.types.get(name, UNKNOWN)
        if kind not in (TensorProto.FLOAT, 0):
            raise OnnxError(
                f"{what} makes {TensorProto.DataType.Name(kind).lower()}, which depends on the "
                "picture; only float32 is possible: export the network in float32, without what "
                "follows the scores"
            )
        if None in shape:
            raise OnnxError(
                f"{what} makes a tensor whose size {shape} depends on the picture's values; only "
                "static shapes are possible"
            )


def _sum(_: relax.BlockBuilder, inputs: Operands, __: Attributes) -> relax.Expr:
    return functools.reduce(relax.op.add, inputs)


def _identity(_: relax.BlockBuilder, inputs: Operands, __: Attributes) -> relax.Expr:
    return inputs[0]


def _pad(_: relax.BlockBuilder, inputs: Operands, attrs: Attributes) -> relax.Expr:
    """Widths as attribute (opset 2) or input (11); `axes` (18) names the axes they are of."""
    x, *given = inputs
    values = [None if operand is None else operand.value.numpy() for operand in given]
    pads, value, axes = (*values, None, None, None)[:3]
    mode = attrs.get("mode", b"constant").decode()
    if mode not in ("constant", "reflect", "edge"):
        raise OnnxError(f"mode {mode}; possible are constant, reflect and edge")
    pads = np.asarray(attrs["pads"] if pads is None else pads).reshape(2, -1)
    rank = len(shape_of(x))
    widths = np.zeros((rank, 2), int)
    widths[range(rank) if axes is None else axes] = pads.T
    filled = float(attrs.get("value", 0.0) if value is None else value.reshape(-1)[0])
    return relax.op.nn.pad(x, widths.reshape(-1).tolist(), mode, filled)


def _gather(_: relax.BlockBuilder, inputs: Operands, attrs: Attributes) -> relax.Expr | None:
    """Of places known beforehand."""
    x, places = inputs
    if not isinstance(places, tvm.ir.Constant) or len(shape_of(places)) > 1:
        return None
    axis = int(attrs.get("axis", 0))
    return relax.op.take(x, relax.const(places.value.numpy() % shape_of(x)[axis], "int64"), axis)


def _lrn(bb: relax.BlockBuilder, inputs: Operands, attrs: Attributes) -> relax.Expr:
    """y = x / (bias + alpha / size * sum of the squares of `size` neighbours) ** beta."""
    (x,), size = inputs, int(attrs["size"])
    channels = shape_of(x)[1]
    before = (size - 1) // 2
    widths = [0, 0, before, size - 1 - before, *[0, 0] * (len(shape_of(x)) - 2)]
    squares = bb.emit(relax.op.nn.pad(bb.emit(relax.op.multiply(x, x)), widths))
    total = None
    for first in range(size):
        part = bb.emit(relax.op.strided_slice(squares, [1], [first], [first + channels], [1]))
        total = part if total is None else bb.emit(relax.op.add(total, part))
    alpha = relax.const(attrs.get("alpha", 1e-4) / size, "float32")
    scaled = bb.emit(relax.op.multiply(total, alpha))
    shifted = bb.emit(relax.op.add(scaled, relax.const(attrs.get("bias", 1.0), "float32")))
    powered = bb.emit(relax.op.power(shifted, relax.const(attrs.get("beta", 0.75), "float32")))
    return relax.op.divide(x, powered)


def _pool(
    _: relax.BlockBuilder, inputs: Operands, attrs: Attributes, kind: str
) -> relax.Expr | None:
    """Two-dimensional pools; a last window that overhangs (ceil) is one with a longer padding."""
    (x,), kernel = inputs, list(attrs["kernel_shape"])
    if len(kernel) != 2:
        return None
    strides, dilations = (list(attrs.get(n, (1, 1))) for n in ("strides", "dilations"))
    windows = [(step - 1) * dilation + 1 for step, dilation in zip(kernel, dilations, strict=True)]
    pads = _explicit_pads(x, windows, strides, attrs)
    ends = list(pads)
    if attrs.get("ceil_mode", 0):
        for axis in (0, 1):
            size = shape_of(x)[2 + axis]
            total = size + pads[axis] + pads[2 + axis] - windows[axis]
            steps = -(-total // strides[axis])
            steps -= steps * strides[axis] >= size + pads[axis]  # would begin behind the picture
            needed = steps * strides[axis] + windows[axis] - size - pads[axis]
            ends[2 + axis] = max(needed, pads[2 + axis])
    if kind == "max":
        return relax.op.nn.max_pool2d(x, kernel, strides, ends, dilations)
    counts = bool(attrs.get("count_include_pad", 0)) and any(pads)
    if counts and ends != pads:
        raise OnnxError(
            "ceil_mode with a counted padding and a window that overhangs it; possible are pools "
            "that do not count their padding (count_include_pad=0), or that do not overhang"
        )
    return relax.op.nn.avg_pool2d(x, kernel, strides, ends, dilations, count_include_pad=counts)


def _explicit_pads(
    x: relax.Expr, windows: list[int], strides: list[int], attrs: Attributes
) -> list[int]:
    """(top, left, bottom, right) that `auto_pad` or `pads` ask for."""
    mode = attrs.get("auto_pad", b"NOTSET").decode()
    if not mode.startswith("SAME"):
        return [0] * 4 if mode == "VALID" else list(attrs.get("pads", [0] * 4))
    sizes = shape_of(x)[2:]
    totals = [
        max((-(-size // stride) - 1) * stride + window - size, 0)
        for size, window, stride in zip(sizes, windows, strides, strict=True)
    ]
    smaller, larger = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return smaller + larger if mode == "SAME_UPPER" else larger + smaller


def _conv(_: relax.BlockBuilder, inputs: Operands, attrs: Attributes) -> relax.Expr | None:
    """Two-dimensional convolutions, `auto_pad` as plain paddings."""
    x, weights, bias = (*inputs, None)[:3]
    if len(shape_of(weights)) != 4:
        return None
    strides, dilations = (list(attrs.get(n, (1, 1))) for n in ("strides", "dilations"))
    kernel = shape_of(weights)[2:]
    windows = [(step - 1) * dilation + 1 for step, dilation in zip(kernel, dilations, strict=True)]
    pads = _explicit_pads(x, windows, strides, attrs)
    conv = relax.op.nn.conv2d(x, weights, strides, pads, dilations, int(attrs.get("group", 1)))
    return conv if bias is None else relax.op.add(conv, relax.op.reshape(bias, (1, -1, 1, 1)))


Conversion = Callable[[relax.BlockBuilder, Operands, Attributes], relax.Expr | None]
CONVERSIONS: dict[str, Conversion] = {  # None: left to TVM's conversion
    "Conv": _conv,
    "MaxPool": functools.partial(_pool, kind="max"),
    "AveragePool": functools.partial(_pool, kind="average"),
    "Gather": _gather,
    "Sum": _sum,
    "Pad": _pad,
    "LRN": _lrn,
    "Dropout": _identity,
    "Identity": _identity,
}
