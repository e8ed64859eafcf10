"""A network of ours as a TensorFlow Lite file, as LiteRT's own converter writes it.

No converter for PyTorch can be installed beside TVM: litert-torch 0.10 takes typing-extensions
4.12, TVM 4.13 or newer. Operator for operator, a reshaping aside, this is what litert-torch, forced
beside it, made of ShuffleNet 1x g3 and of AlexNet: channels last, batch norms folded, ReLUs fused,
grouped convolutions whole, PAD where TensorFlow's SAME is not the padding, a shuffle of planes
between two transpositions. Both files of the ShuffleNet took 53.38 modelled Mcycles on the A72, and
in turns on an AMD EPYC 4.71 and 4.70 ms (2026-11-26). A shuffle that stays channels last, as one
writes it in Keras, took 1 % longer; AlexNet with the format's one operator for LRN 20 % longer than
with litert-torch's many.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor, fx, nn

from bench.layer_graph import LayerGraph
from bench.tflite_model import TfliteModel
from model.alexnet import CrossChannelNorm
from model.errors import InputError
from model.shufflenet import ChannelShuffle

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # of NCHW, and back
INPUT = "input"  # as the file calls it
FLOAT16 = b"fp16accfp16"  # sums in float16, too
NONE, RELU = schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
Pair = tuple[int, int]  # rows and columns


class TfliteError(InputError):
    """A module with a part that is not known here as operators of TensorFlow Lite."""


def write_tflite(
    module: nn.Module, input_shape: tuple[int, ...], path: Path, *, half: bool = False
) -> None:
    """Writes `module`, in evaluation mode, to `path`; it takes (N, C, H, W), as the module does.

    With `half` the runtime may compute in float16, where the core has it. Raises `TfliteError` for
    a part that is not known here.
    """
    writer = _Writer(module)
    if half:
        writer.model.allow(FLOAT16)
    writer.model.write(path, writer.convert(input_shape))


class _Writer:
    """Writes what a module runs into `model`; all tensors of planes are NHWC."""

    def __init__(self, module: nn.Module) -> None:
        self.model = TfliteModel()
        self._graph = LayerGraph(module)
        self._tensors: dict[fx.Node, int] = {}

    def convert(self, input_shape: tuple[int, ...]) -> int:
        """The tensor that the module answers with."""
        first, *nodes, last = self._graph
        given = self.model.input(INPUT, input_shape)
        self._tensors[first] = self._transposed(given, CHANNELS_LAST)
        for node in nodes:
            kind = self._graph.kind(node)
            if kind not in WRITERS:
                name = getattr(kind, "__name__", kind)
                known = ", ".join(getattr(each, "__name__", str(each)) for each in WRITERS)
                raise TfliteError(f"{node.name} is {name}; known here are {known}")
            self._tensors[node] = WRITERS[kind](self, node)
        return self._tensors[last.args[0]]

    def _input(self, node: fx.Node) -> int:
        return self._tensors[node.args[0]]

    def _activation(self, node: fx.Node) -> int:
        return RELU if self._graph.rectified(node) else NONE

    def conv(self, node: fx.Node) -> int:
        layer = self._graph.layer(node)
        x, padding = self._padded(self._input(node), layer)
        settings = {
            "padding": padding,
            "strideH": layer.stride[0],
            "strideW": layer.stride[1],
            "fusedActivationFunction": self._activation(node),
        }
        if layer.groups > 1 and layer.groups == layer.in_channels == layer.out_channels:
            kind, order = "DEPTHWISE_CONV_2D", (1, 2, 3, 0)
            options = schema.DepthwiseConv2DOptionsT(depthMultiplier=1, **settings)
        else:  # of as many groups as the filter's channels go into the input's
            kind, order = "CONV_2D", CHANNELS_LAST
            options = schema.Conv2DOptionsT(**settings)
        bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
        parameters = [self._constant(layer.weight.permute(order)), self._constant(bias)]
        shape = self._windows(x, layer.kernel_size, layer.stride, padding, layer.out_channels)
        return self.model.operator(kind, [x, *parameters], shape, options)

    def pool(self, node: fx.Node) -> int:
        layer = self._graph.layer(node)
        kernel, stride, padding = map(_pair, (layer.kernel_size, layer.stride, layer.padding))
        largest = isinstance(layer, nn.MaxPool2d)
        # SAME would leave out of a mean what is padded, which PyTorch counts.
        x = self._pad(self._input(node), padding, -np.inf if largest else 0.0)
        options = schema.Pool2DOptionsT(
            padding=VALID,
            strideH=stride[0],
            strideW=stride[1],
            filterHeight=kernel[0],
            filterWidth=kernel[1],
        )
        shape = self._windows(x, kernel, stride, VALID, self.model.shape(x)[3])
        kind = "MAX_POOL_2D" if largest else "AVERAGE_POOL_2D"
        return self.model.operator(kind, [x], shape, options)

    def global_pool(self, node: fx.Node) -> int:
        x = self._input(node)
        n, _, _, channels = self.model.shape(x)
        options = schema.ReducerOptionsT(keepDims=True)
        return self.model.operator("MEAN", [x, self._integers(1, 2)], (n, 1, 1, channels), options)

    def norm(self, node: fx.Node) -> int:
        layer, x = self._graph.layer(node), self._input(node)
        squares = self._elementwise("MUL", x, x, schema.MulOptionsT())
        around = self._pad(squares, (0, 0, layer.size // 2))
        shape = self.model.shape(x)
        size = self._integers(*shape)
        terms = (
            self.model.operator("SLICE", [around, self._integers(0, 0, 0, offset), size], shape)
            for offset in range(layer.size)
        )
        add = functools.partial(self._elementwise, "ADD", options=schema.AddOptionsT())
        total = functools.reduce(add, terms)
        scaled = self._elementwise("MUL", total, self._float(layer.alpha), schema.MulOptionsT())
        power = self._elementwise("POW", add(scaled, self._float(layer.k)), self._float(layer.beta))
        return self._elementwise("DIV", x, power, schema.DivOptionsT())

    def shuffle(self, node: fx.Node) -> int:
        layer, x = self._graph.layer(node), self._input(node)
        n, height, width, channels = self.model.shape(x)
        rows = layer.groups if layer.convention == "paper" else channels // layer.groups
        planes = self._transposed(x, CHANNELS_FIRST)
        matrix = self._reshaped(planes, (n, rows, channels // rows, height, width))
        shuffled = self._transposed(matrix, (0, 2, 1, 3, 4))
        planes = self._reshaped(shuffled, (n, channels, height, width))
        return self._transposed(planes, CHANNELS_LAST)

    def add(self, node: fx.Node) -> int:
        a, b = (self._tensors[each] for each in node.args)
        options = schema.AddOptionsT(fusedActivationFunction=self._activation(node))
        return self._elementwise("ADD", a, b, options)

    def concat(self, node: fx.Node) -> int:
        inputs = [self._tensors[each] for each in node.args[0]]
        *pixels, _ = self.model.shape(inputs[0])
        shape = (*pixels, sum(self.model.shape(each)[3] for each in inputs))
        options = schema.ConcatenationOptionsT(axis=3)  # all of ours are of channels
        return self.model.operator("CONCATENATION", inputs, shape, options)

    def flatten(self, node: fx.Node) -> int:
        x = self._input(node)
        n, height, width, channels = self.model.shape(x)
        planes = x if height == width == 1 else self._transposed(x, CHANNELS_FIRST)
        return self._reshaped(planes, (n, channels * height * width))

    def linear(self, node: fx.Node) -> int:
        layer, x = self._graph.layer(node), self._input(node)
        bias = [] if layer.bias is None else [self._constant(layer.bias)]
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=self._activation(node))
        shape = (self.model.shape(x)[0], layer.out_features)
        inputs = [x, self._constant(layer.weight), *bias]
        return self.model.operator("FULLY_CONNECTED", inputs, shape, options)

    def _padded(self, x: int, conv: nn.Conv2d) -> tuple[int, int]:
        """`x`, padded where TensorFlow's own padding is another one, and which of those is left."""
        sizes = self.model.shape(x)[1:3]
        if conv.padding == (0, 0):
            return x, VALID
        if all(map(_is_same, sizes, conv.kernel_size, conv.stride, conv.padding)):
            return x, SAME
        return self._pad(x, conv.padding), VALID

    def _pad(self, x: int, padding: tuple[int, ...], filler: float = 0.0) -> int:
        """`x` with `padding` of rows, columns and channels, at both ends."""
        if not any(padding):
            return x
        ends = np.zeros((4, 2), np.int32)
        ends[1 : 1 + len(padding)] = np.array(padding)[:, None]
        inputs, shape = [x, self.model.constant(ends)], self.model.shape(x) + ends.sum(axis=1)
        if filler == 0:
            return self.model.operator("PAD", inputs, shape.tolist())
        return self.model.operator("PADV2", [*inputs, self._float(filler)], shape.tolist())

    def _windows(
        self, x: int, kernel: Pair, stride: Pair, padding: int, channels: int
    ) -> tuple[int, ...]:
        """The shape of `channels` of each window over `x`."""
        n, *sizes, _ = self.model.shape(x)
        extents = (1, 1) if padding == SAME else kernel
        windows = zip(sizes, extents, stride, strict=True)
        return (n, *((size - extent) // step + 1 for size, extent, step in windows), channels)

    def _elementwise(self, kind: str, a: int, b: int, options: object | None = None) -> int:
        return self.model.operator(kind, [a, b], self.model.shape(a), options)

    def _constant(self, parameter: Tensor) -> int:
        return self.model.constant(parameter.detach().numpy())

    def _float(self, value: float) -> int:
        return self.model.constant(np.array(value, np.float32))

    def _integers(self, *values: int) -> int:
        return self.model.constant(np.array(values, np.int32))

    def _reshaped(self, x: int, shape: tuple[int, ...]) -> int:
        return self.model.operator("RESHAPE", [x, self._integers(*shape)], shape)

    def _transposed(self, x: int, order: tuple[int, ...]) -> int:
        shape = [self.model.shape(x)[axis] for axis in order]
        return self.model.operator("TRANSPOSE", [x, self._integers(*order)], shape)


WRITERS: dict[object, Callable[[_Writer, fx.Node], int]] = {
    nn.Conv2d: _Writer.conv,
    nn.MaxPool2d: _Writer.pool,
    nn.AvgPool2d: _Writer.pool,
    nn.AdaptiveAvgPool2d: _Writer.global_pool,
    nn.Linear: _Writer.linear,
    nn.Identity: _Writer._input,
    CrossChannelNorm: _Writer.norm,
    ChannelShuffle: _Writer.shuffle,
    operator.add: _Writer.add,
    torch.cat: _Writer.concat,
    "flatten": _Writer.flatten,
}


def _pair(extent: int | Pair) -> Pair:
    return (extent, extent) if isinstance(extent, int) else extent


def _is_same(size: int, kernel: int, stride: int, padding: int) -> bool:
    """Whether TensorFlow's SAME is `padding` at both ends."""
    outputs = -(-size // stride)
    return (outputs - 1) * stride + kernel - size == 2 * padding
