"""pnnx's operators, which are PyTorch's, as nodes of ONNX: one for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from onnx import NodeProto, helper

from model.errors import InputError

MAX_CHANNELS = 1 << 16  # of a shuffle, whose order is written down
SUM = re.compile(r"add\(@[01],@[01]\)")

Kind = TypeVar("Kind", list, int, float, str)


class PnnxError(InputError):
    """A graph of pnnx with what has no counterpart in ONNX here."""


@dataclass(frozen=True)
class Call:
    """One of pnnx's nodes: `inputs` are the values it takes, `weights` what it has by name.

    `channels` is the second extent of its first input (0: not known), `rank` how many it has.
    `texts` are the expressions without operands among its inputs, by name.
    """

    node: NodeProto
    inputs: Sequence[str]
    weights: Mapping[str, str]
    channels: int
    rank: int
    texts: Mapping[str, str]

    def attribute(self, name: str, kind: type[Kind]) -> Kind:
        """Its attribute, a list of integers, an integer, a float or a text by `kind`."""
        given = {attribute.name: attribute for attribute in self.node.attribute}
        value = helper.get_attribute_value(given[name]) if name in given else None
        value = value.decode(errors="replace") if isinstance(value, bytes) else value
        if not isinstance(value, kind):
            raise self.error(f"expected its {name} as {kind.__name__}, got {value!r}")
        return value

    def expect(self, name: str, wanted: object) -> None:
        """Raises `PnnxError` where its attribute is another than `wanted`."""
        if (value := self.attribute(name, type(wanted))) != wanted:
            raise self.error(f"its {name} is {value!r}; only {wanted!r} is possible")

    def weight(self, name: str) -> str:
        """The tensor that PyTorch's layer calls `name`."""
        if name not in self.weights:
            raise self.error(f"it has no {name}")
        return self.weights[name]

    def weight_and_bias(self) -> list[str]:
        """Those tensors; without the bias where the layer has none."""
        names = ["weight", "bias"] if "bias" in self.weights else ["weight"]
        return [self.weight(name) for name in names]

    def error(self, what: str) -> PnnxError:
        """With the node's name and operator before `what`."""
        return PnnxError(f"node {self.node.name!r} ({self.node.op_type}) of pnnx: {what}")


@dataclass(frozen=True)
class Made:
    """A node of ONNX; `constants` are inputs behind `inputs`."""

    operator: str
    inputs: Sequence[str]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    constants: Sequence[np.ndarray] = ()


def _conv(call: Call) -> Made:
    call.expect("padding_mode", "zeros")
    attributes = _windows(call) | {"group": call.attribute("groups", int)}
    return Made("Conv", [*call.inputs, *call.weight_and_bias()], attributes)


def _max_pool(call: Call) -> Made:
    call.expect("return_indices", 0)
    ceil_mode = {"ceil_mode": call.attribute("ceil_mode", int)}
    return Made("MaxPool", call.inputs, _windows(call) | ceil_mode)


def _average_pool(call: Call) -> Made:
    call.expect("divisor_override", "None")
    flags = {name: call.attribute(name, int) for name in ("ceil_mode", "count_include_pad")}
    windows = _windows(call)
    del windows["dilations"]
    return Made("AveragePool", call.inputs, windows | flags)


def _windows(call: Call) -> dict[str, Any]:
    """Window, strides and borders; pnnx spells one padding for both ends."""
    dilated = any(attribute.name == "dilation" for attribute in call.node.attribute)
    return {
        "kernel_shape": call.attribute("kernel_size", list),
        "strides": call.attribute("stride", list),
        "pads": call.attribute("padding", list) * 2,
        "dilations": call.attribute("dilation", list) if dilated else [1, 1],
    }


def _batch_norm(call: Call) -> Made:
    names = ("weight", "bias", "running_mean", "running_var")
    inputs = [*call.inputs, *map(call.weight, names)]
    return Made("BatchNormalization", inputs, {"epsilon": call.attribute("eps", float)})


def _channel_shuffle(call: Call) -> Made:
    return _shuffled(call, call.attribute("groups", int))


def _aten_channel_shuffle(call: Call) -> Made:
    """`nn.ChannelShuffle` and `F.channel_shuffle`, which pnnx leaves to its caller."""
    text = call.texts.get(call.node.input[1], "") if len(call.node.input) == 2 else ""
    if not text.isdecimal():
        raise call.error(f"expected a number of groups, got {text!r}")
    return _shuffled(call, int(text))


def _shuffled(call: Call, groups: int) -> Made:
    channels = call.channels
    if not 0 < channels <= MAX_CHANNELS or groups < 1 or channels % groups:
        raise call.error(f"expected groups that divide the channels, got {groups} of {channels}")
    order = np.arange(channels).reshape(groups, -1).T.reshape(-1)
    return Made("Gather", call.inputs[:1], {"axis": 1}, [order])


def _concat(call: Call) -> Made:
    return Made("Concat", call.inputs, {"axis": call.attribute("dim", int)})


def _reshape(call: Call) -> Made:
    return Made("Reshape", call.inputs, {}, [np.array(call.attribute("shape", list), np.int64)])


def _permute(call: Call) -> Made:
    return Made("Transpose", call.inputs, {"perm": call.attribute("dims", list)})


def _transpose(call: Call) -> Made:
    order = list(range(call.rank))
    try:
        first, second = (order[call.attribute(name, int)] for name in ("dim0", "dim1"))
    except IndexError as error:
        raise call.error(f"expected two axes of {call.rank}") from error
    order[first], order[second] = second, first
    return Made("Transpose", call.inputs, {"perm": order})


def _flatten(call: Call) -> Made:
    call.expect("end_dim", -1)
    call.expect("start_dim", 1)
    return Made("Flatten", call.inputs, {"axis": 1})


def _global_pool(call: Call) -> Made:
    call.expect("output_size", [1, 1])
    return Made("GlobalAveragePool", call.inputs)


def _mean(call: Call) -> Made:
    attributes = {"axes": call.attribute("dim", list), "keepdims": call.attribute("keepdim", int)}
    return Made("ReduceMean", call.inputs, attributes)


def _linear(call: Call) -> Made:
    return Made("Gemm", [*call.inputs, *call.weight_and_bias()], {"transB": 1})


def _softmax(call: Call) -> Made:
    return Made("Softmax", call.inputs, {"axis": call.attribute("dim", int)})


def _relu(call: Call) -> Made:
    return Made("Relu", call.inputs)


def _expression(call: Call) -> Made:
    """A sum of two tensors: the shortcut."""
    text = call.attribute("expr", str)
    if not SUM.fullmatch(text) or len(call.inputs) != 2:
        raise call.error(f"expected a sum of two, as in add(@0,@1), got {text}")
    return Made("Add", call.inputs)


CONVERSIONS: dict[str, Callable[[Call], Made]] = {
    "nn.Conv2d": _conv,
    "nn.BatchNorm2d": _batch_norm,
    "nn.ReLU": _relu,
    "F.relu": _relu,
    "nn.MaxPool2d": _max_pool,
    "F.max_pool2d": _max_pool,
    "nn.AvgPool2d": _average_pool,
    "F.avg_pool2d": _average_pool,
    "nn.AdaptiveAvgPool2d": _global_pool,
    "F.adaptive_avg_pool2d": _global_pool,
    "nn.ChannelShuffle": _channel_shuffle,
    "aten::channel_shuffle": _aten_channel_shuffle,
    "Tensor.reshape": _reshape,
    "Tensor.permute": _permute,
    "torch.transpose": _transpose,
    "torch.flatten": _flatten,
    "torch.mean": _mean,
    "torch.cat": _concat,
    "pnnx.Expression": _expression,
    "nn.Linear": _linear,
    "F.softmax": _softmax,
}
