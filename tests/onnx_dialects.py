"""ShuffleNets of two units as ONNX files, in the words of every exporter that tests know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
CLASSES = 7


@dataclass(frozen=True)
class Dialect:
    """How one exporter writes a ShuffleNet, and which of its variants; the defaults are PyTorch's.

    Channels: `stem`, then `out` behind both units, `middle` within. `shuffle` is the spelling,
    `rows` (0: as many as groups) its direction.
    """

    opset: int = 17
    channels_last: bool = False
    dynamic: bool = False
    groups: int = 3
    stem: int = 6
    middle: int = 12
    out: int = 24
    first_grouped: bool = False
    first_shuffled: bool = True
    shuffle: str = "5d"
    rows: int = 0
    shuffle_behind_depthwise: bool = False
    norm: str = "BatchNormalization"
    add: str = "Add"
    pool: str = "counted"
    pool_first: bool = True
    relu_behind_concat: bool = False
    border: str = "attribute"
    head: str = "GlobalAveragePool"


def write_dialect(dialect: Dialect, folder: Path, seed: int = 0) -> Path:
    """The file of `dialect`, with weights drawn from `seed`."""
    path = folder / "dialect.onnx"
    onnx.save(_Writer(dialect, seed).model(), path)
    return path


class _Writer:
    """Nodes in order; `x` is always the name of the tensor so far, in NCHW unless said."""

    def __init__(self, dialect: Dialect, seed: int) -> None:
        self.d = dialect
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        d = self.d
        sides = ["h", "w"] if d.dynamic else [SIDE, SIDE]
        shape = ["n" if d.dynamic else 1, *([*sides, 3] if d.channels_last else [3, *sides])]
        x = self.conv("x", 3, d.stem, 3, stride=2)
        x = self.node("Relu", self.norm(x, d.stem))
        x = self.pool(x, "MaxPool")
        x = self.unit(x, d.stem, stride=2)
        x = self.unit(x, d.out, stride=1)
        x = self.head(x)
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
        outputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, [shape[0], CLASSES])]
        graph = helper.make_graph(self.nodes, "dialect", inputs, outputs, self.weights)
        if d.opset < 9:  # then initializers are inputs, too
            graph.input.extend(
                helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in self.weights
            )
        ir_version = 3 if d.opset < 9 else 8
        opsets = [helper.make_opsetid("", d.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
        onnx.checker.check_model(model)
        return model

    def node(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def drawn(self, *shape: int) -> str:
        return self.constant(self.random.uniform(0.5, 1.5, shape))

    def in_planes(self, operator: str, x: str, *others: str, **attributes: object) -> str:
        """A node on NCHW; with channels last there are transposes around each."""
        if not self.d.channels_last:
            return self.node(operator, x, *others, **attributes)
        planes = self.node("Transpose", x, perm=[0, 3, 1, 2])
        made = self.node(operator, planes, *others, **attributes)
        return self.node("Transpose", made, perm=[0, 2, 3, 1])

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: int, *, groups: int = 1, stride: int = 1
    ) -> str:
        fan_in = inputs // groups * kernel**2
        shape = (outputs, inputs // groups, kernel, kernel)
        weights = self.constant(self.random.standard_normal(shape) * (2 / fan_in) ** 0.5)
        attributes = {"group": groups, "strides": [stride] * 2, "kernel_shape": [kernel] * 2}
        return self.in_planes("Conv", *self.bordered(x, kernel, attributes), weights, **attributes)

    def bordered(self, x: str, kernel: int, attributes: dict[str, object]) -> tuple[str]:
        """Sets `pads` or `auto_pad`, or puts a Pad before: TensorFlow's border is behind alone."""
        if kernel == 1:
            return (x,)
        if self.d.border == "attribute":
            attributes["pads"] = [1] * 4
        elif self.d.border == "auto":
            attributes["auto_pad"] = "SAME_UPPER"
        else:
            ends = [0, 1, 1, 0] if self.d.channels_last else [0, 0, 1, 1]
            widths = self.constant([*ends, *ends], np.int64)
            attributes["auto_pad"] = "VALID"
            return (self.node("Pad", x, widths),)
        return (x,)

    def norm(self, x: str, channels: int) -> str:
        statistics = [self.drawn(channels) for _ in range(4)]
        if self.d.norm == "BatchNormalization":
            return self.in_planes("BatchNormalization", x, *statistics)
        if self.d.norm == "Caffe":
            x = self.in_planes("BatchNormalization", x, *statistics)
        shape = (channels,) if self.d.channels_last else (channels, 1, 1)
        scaled = self.node("Mul", x, self.drawn(*shape))
        if self.d.norm == "Sub":
            return self.node("Sub", scaled, self.drawn(*shape))
        return self.node("Add", self.drawn(*shape), scaled)

    def pool(self, x: str, operator: str) -> str:
        attributes: dict[str, object] = {"kernel_shape": [3, 3], "strides": [2, 2]}
        kind = self.d.pool
        if kind == "auto":
            attributes["auto_pad"] = "SAME_UPPER"
        elif kind == "ceil":
            attributes["ceil_mode"] = 1
        else:
            attributes["pads"] = [1] * 4
        if operator == "AveragePool" and kind == "counted":
            attributes["count_include_pad"] = 1
        return self.in_planes(operator, x, **attributes)

    def unit(self, x: str, inputs: int, *, stride: int) -> str:
        d, is_first = self.d, stride == 2
        branch_out = d.out - inputs if stride == 2 else d.out
        groups = d.groups if d.first_grouped or not is_first else 1
        y = self.conv(x, inputs, d.middle, 1, groups=groups)
        y = self.node("Relu", self.norm(y, d.middle))
        has_shuffle = d.first_shuffled or not is_first
        if has_shuffle and not d.shuffle_behind_depthwise:
            y = self.shuffle(y)
        y = self.conv(y, d.middle, d.middle, 3, groups=d.middle, stride=stride)
        y = self.norm(y, d.middle)
        if has_shuffle and d.shuffle_behind_depthwise:
            y = self.shuffle(y)
        y = self.norm(self.conv(y, d.middle, branch_out, 1, groups=d.groups), branch_out)
        if stride == 1:
            return self.node("Relu", self.node(d.add, y, x))
        y = y if d.relu_behind_concat else self.node("Relu", y)
        pooled = self.pool(x, "AveragePool")
        halves = [pooled, y] if d.pool_first else [y, pooled]
        joined = self.node("Concat", *halves, axis=3 if d.channels_last else 1)
        return self.node("Relu", joined) if d.relu_behind_concat else joined

    def shuffle(self, x: str) -> str:
        return getattr(self, f"_shuffle_{self.d.shuffle}")(x, self.d.rows or self.d.groups)

    def reshape(self, x: str, *shape: int) -> str:
        if self.d.opset < 5:
            return self.node("Reshape", x, shape=shape)
        return self.node("Reshape", x, self.constant(shape, np.int64))

    def _side(self, x: str) -> int:
        """Rows of a tensor at this depth: halved by stem, pool and the first unit's depthwise."""
        halvings = sum(
            node.op_type in ("Conv", "MaxPool")
            and any(a.name == "strides" and a.ints[0] == 2 for a in node.attribute)
            for node in self.nodes
        )
        return SIDE >> halvings

    def _shuffle_5d(self, x: str, rows: int) -> str:
        side, c = self._side(x), self.d.middle
        if self.d.channels_last:
            y = self.reshape(x, -1, side, side, rows, c // rows)
            return self.reshape(self.node("Transpose", y, perm=[0, 1, 2, 4, 3]), -1, side, side, c)
        y = self.reshape(x, -1, rows, c // rows, side, side)
        return self.reshape(self.node("Transpose", y, perm=[0, 2, 1, 3, 4]), -1, c, side, side)

    def _shuffle_4d(self, x: str, rows: int) -> str:
        side, c = self._side(x), self.d.middle
        y = self.node("Transpose", self.reshape(x, 1, rows, c // rows, -1), perm=[0, 2, 1, 3])
        return self.reshape(y, 0, c, side, side)

    def _shuffle_3d(self, x: str, rows: int) -> str:
        side, c = self._side(x), self.d.middle
        y = self.node("Transpose", self.reshape(x, rows, c // rows, -1), perm=[1, 0, 2])
        return self.reshape(y, 1, c, side, side)

    def _shuffle_gather(self, x: str, rows: int) -> str:
        order = np.arange(self.d.middle).reshape(rows, -1).T.reshape(-1)
        axis = 3 if self.d.channels_last else 1
        return self.node("Gather", x, self.constant(order, np.int64), axis=axis)

    def _shuffle_slices(self, x: str, rows: int) -> str:
        """Every n-th channel, then those behind them: as many slices as a group has channels."""
        c = self.d.middle
        steps = [self.constant([value], np.int64) for value in (c, 1, c // rows)]  # end, axis, step
        parts = [
            self.node("Slice", x, self.constant([first], np.int64), *steps)
            for first in range(c // rows)
        ]
        return self.node("Concat", *parts, axis=1)

    def _shuffle_dynamic(self, x: str, rows: int) -> str:
        """As PyTorch traces `x.view(n, g, c // g, h, w)`: sizes are taken from the tensor."""
        sizes = self.node("Shape", x)
        n, h, w = (
            self.node("Gather", sizes, self.constant([axis], np.int64)) for axis in (0, 2, 3)
        )
        c = self.d.middle
        split = [self.constant([extent], np.int64) for extent in (rows, c // rows)]
        y = self.node("Reshape", x, self.node("Concat", n, *split, h, w, axis=0))
        y = self.node("Transpose", y, perm=[0, 2, 1, 3, 4])
        whole = self.constant([c], np.int64)
        return self.node("Reshape", y, self.node("Concat", n, whole, h, w, axis=0))

    def head(self, x: str) -> str:
        d, side = self.d, self._side(x)
        if d.head == "AveragePool":
            x = self.in_planes("AveragePool", x, kernel_shape=[side, side])
        elif d.head == "ReduceMean":
            axes = [1, 2] if d.channels_last else [2, 3]
            x = self.node("ReduceMean", x, axes=axes, keepdims=0)
        else:
            x = self.in_planes("GlobalAveragePool", x)
        x = x if d.head == "ReduceMean" else self.reshape(x, -1, d.out)
        if d.channels_last:
            product = self.node("MatMul", x, self.drawn(d.out, CLASSES))
            return self.node("Add", product, self.drawn(CLASSES))
        attributes = {"broadcast": 1} if d.opset < 7 else {}
        weights = self.constant(self.random.standard_normal((CLASSES, d.out)))
        return self.node("Gemm", x, weights, self.drawn(CLASSES), transB=1, **attributes)
