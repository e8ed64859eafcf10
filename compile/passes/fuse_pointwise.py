"""Every 1x1 convolution becomes one kernel with its bias, ReLU, shortcut and channel shuffle.

    relu(add(add(conv2d(x, W), b), shortcut))          ->  call_tir(pointwise, x, W', b, shortcut)
    shuffle(relu(add(conv2d(x, W), b)))                ->  call_tir(pointwise, x, W', b)
    add(conv2d(shuffle(x), W), b)                      ->  call_tir(pointwise, x, W', b)

shuffle(x) is reshape(permute_dims(reshape(x))). Behind the convolution it becomes the store index,
before it the load index: neither costs a copy. ReLU, shuffle and shortcut may each be there or not.
W' is packed for the tile. Left alone: strides, dilation, padding, no bias, weights that vary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import tvm
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, rewrite_call, wildcard

from compile.schedules.pointwise import (
    PointwiseWorkload,
    default_tile,
    pack_weights,
    pointwise,
)
from deploy_rpc.cores import Core

SHUFFLE_AXES = (0, 2, 1, 3, 4)
Matched = dict[DFPattern, relax.Expr]


def fuse_pointwise(core: Core, threads: int) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `core`: Relax to Relax, main only."""

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        for form in _forms():
            module = _Fusing(form, core, threads).apply(module)
        return relax.transform.DeadCodeElimination()(module)

    return apply


@dataclass(frozen=True)
class _Shuffle:
    """A channel shuffle: split (1, r, C / r, H, W), transposed, flattened again."""

    split: DFPattern
    transposed: DFPattern
    flat: DFPattern

    @staticmethod
    def of(x: DFPattern) -> _Shuffle:
        split = is_op("relax.reshape")(x, wildcard())
        transposed = is_op("relax.permute_dims")(split)
        return _Shuffle(split, transposed, is_op("relax.reshape")(transposed, wildcard()))

    def rows(self, matched: Matched) -> int | None:
        """The r of a match; None where reshapes and transpose do something else."""
        split, flat = _shape(matched[self.split]), _shape(matched[self.flat])
        axes = tuple(int(axis) for axis in matched[self.transposed].attrs.axes or ())
        if axes != SHUFFLE_AXES or flat != (split[0], split[1] * split[2], *split[3:]):
            return None
        return split[1]


@dataclass(frozen=True)
class _Form:
    """One pattern and the parts of it that a match hands back."""

    pattern: DFPattern
    conv: DFPattern
    x: DFPattern
    bias: DFPattern
    relu: DFPattern | None
    shortcut: DFPattern | None
    behind: _Shuffle | None
    before: _Shuffle | None


def _forms() -> list[_Form]:
    """Largest first: what a form takes, the next ones no longer see."""
    with_shortcut = [_form(relu=True, shortcut=side) for side in ("left", "right")]
    plain = [
        _form(relu=relu, behind=behind, before=before)
        for before in (True, False)
        for behind in (True, False)
        for relu in (True, False)
    ]
    before = [_form(relu=True, shortcut=side, before=True) for side in ("left", "right")]
    return [*before, *with_shortcut, *plain]


def _form(*, relu: bool, shortcut: str = "", behind: bool = False, before: bool = False) -> _Form:
    x, bias, other = wildcard(), is_const(), wildcard()
    shuffled_x = _Shuffle.of(x) if before else None
    conv = is_op("relax.nn.conv2d")(shuffled_x.flat if shuffled_x else x, is_const())
    result = is_op("relax.add")(conv, bias)
    if shortcut:
        sides = (other, result) if shortcut == "left" else (result, other)
        result = is_op("relax.add")(*sides)
    activated = is_op("relax.nn.relu")(result) if relu else None
    result = activated if relu else result
    shuffled = _Shuffle.of(result) if behind else None
    return _Form(
        pattern=shuffled.flat if shuffled else result,
        conv=conv,
        x=x,
        bias=bias,
        relu=activated,
        shortcut=other if shortcut else None,
        behind=shuffled,
        before=shuffled_x,
    )


class _Fusing:
    def __init__(self, form: _Form, core: Core, threads: int) -> None:
        self._form, self._core, self._threads = form, core, threads

    def apply(self, module: tvm.IRModule) -> tvm.IRModule:
        builder = relax.BlockBuilder(module)

        def rewrite(original: relax.Expr, matched: Matched) -> relax.Expr:
            fused = self._fused(builder, matched)
            return original if fused is None else fused

        main = rewrite_call(self._form.pattern, rewrite, module["main"])
        builder.update_func(module.get_global_var("main"), main)
        return builder.get()

    def _fused(self, builder: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        form, conv = self._form, matched[self._form.conv]
        behind = form.behind.rows(matched) if form.behind else 1
        before = form.before.rows(matched) if form.before else 1
        shapes = _shapes(conv)
        if behind is None or before is None or shapes is None:
            return None
        (_, channels, height, width), outputs = shapes
        if not _is_per_channel(matched[form.bias], outputs):
            return None
        if form.shortcut is not None and _shape(matched[form.shortcut]) != _shape(conv):
            return None
        workload = PointwiseWorkload(
            groups=int(conv.attrs.groups),
            outputs=outputs // int(conv.attrs.groups),
            inputs=channels // int(conv.attrs.groups),
            pixels=height * width,
            relu=form.relu is not None,
            shortcut=form.shortcut is not None,
            shuffle_rows=behind,
            load_rows=before,
        )
        tile = default_tile(workload, self._core)
        kernel = builder.add_func(pointwise(workload, tile, self._threads), "pointwise")
        weights = pack_weights(conv.args[1].value.numpy(), workload, tile)
        bias = matched[form.bias].value.numpy().reshape(-1)
        operands = [
            relax.op.reshape(matched[form.x], (channels, workload.pixels)),
            relax.const(weights, "float32"),
            relax.const(bias, "float32"),
        ]
        if form.shortcut is not None:
            operands.append(relax.op.reshape(matched[form.shortcut], (outputs, workload.pixels)))
        planes = relax.TensorType((outputs, workload.pixels), "float32")
        return relax.op.reshape(
            relax.call_tir(kernel, operands, planes), (1, outputs, height, width)
        )


def _shapes(conv: relax.Call) -> tuple[tuple[int, ...], int] | None:
    """Input shape and output channels, if `conv` is 1x1 and moves nothing; else None."""
    attrs, (outputs, _, *kernel) = conv.attrs, _shape(conv.args[1])
    moves = [*attrs.strides, *attrs.dilation, *(int(p) + 1 for p in attrs.padding)]
    shape = _shape(conv.args[0])
    if kernel != [1, 1] or any(int(step) != 1 for step in moves) or shape[0] != 1:
        return None
    return shape, outputs


def _is_per_channel(bias: relax.Constant, channels: int) -> bool:
    shape = _shape(bias)
    return shape[-3:] == (channels, 1, 1) and math.prod(shape) == channels


def _shape(tensor: relax.Expr) -> tuple[int, ...]:
    return tuple(int(extent) for extent in tensor.ty.shape)
