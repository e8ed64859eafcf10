"""Convolutions that `fuse_pointwise` left, and pools, become kernels of the window template.

    relu(add(conv2d(x, W), b))     ->  call_tir(window, x, W', b)     without b where it is 0
    max_pool2d(x), avg_pool2d(x)   ->  call_tir(window, x)

W' is packed for the tile. An average that does not count its padding is of another kind. Left
alone: dilation, unequal strides, no bias, ceil mode, a pool with a window in its border alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tvm
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard

from compile.passes.rewriting import (
    Choices,
    Matched,
    Replace,
    call_kernel,
    constant,
    flat,
    in_layout,
    in_turn,
    is_per_channel,
    is_zero,
    padding_of,
    shape_of,
    windows_reach_the_picture,
)
from compile.schedules.window_workload import WindowWorkload

PICTURE_CHANNELS = 4  # with so few, reading planes is no slower than changing them first
POOLS = {"relax.nn.max_pool2d": "max", "relax.nn.avg_pool2d": "average"}


def fuse_windows(choices: Choices) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `choices`: Relax to Relax, main only. Unfused, only the bias is taken."""

    relus = (True, False) if choices.fused else (False,)
    convolutions = [_convolutions(relu, choices) for relu in relus]
    return in_turn([*convolutions, *(_pools(operator, choices) for operator in POOLS)])


def _convolutions(relu: bool, choices: Choices) -> tuple[DFPattern, Replace]:
    x, bias = wildcard(), is_const()
    conv = is_op("relax.nn.conv2d")(x, is_const())
    biased = is_op("relax.add")(conv, bias)
    pattern: DFPattern = is_op("relax.nn.relu")(biased) if relu else biased

    def replace(builder: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        call = matched[conv]
        outputs = shape_of(call)[1]
        if not _is_plain(call) or not is_per_channel(matched[bias], outputs):
            return None
        workload = _conv_workload(call, relu, choices)
        if workload.is_channelwise and is_zero(matched[bias]):
            workload = dataclasses.replace(workload, bias=False)
        made, given = choices.make(workload), "planes" if workload.reads_planes else workload.layout
        operands = [
            in_layout(matched[x], given),
            constant(made.packed(call.args[1].value.numpy())),
            *([flat(matched[bias])] if workload.bias else []),
        ]
        return call_kernel(builder, made, "window_conv", operands, shape_of(call))

    return pattern, replace


def _pools(operator: str, choices: Choices) -> tuple[DFPattern, Replace]:
    x = wildcard()
    pattern = is_op(operator)(x)

    def replace(builder: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        call = matched[pattern]
        if not _is_plain(call) or call.attrs.ceil_mode:
            return None
        border = [int(pad) for pad in call.attrs.padding]
        if not windows_reach_the_picture(border, [int(each) for each in call.attrs.pool_size]):
            return None
        padded = any(border)
        inside = POOLS[operator] == "average" and padded and not call.attrs.count_include_pad
        kind = "average_inside" if inside else POOLS[operator]
        workload = _pool_workload(call, kind, choices)
        operands = [in_layout(matched[x], workload.layout)]
        name = f"window_{workload.kind}"
        return call_kernel(builder, choices.make(workload), name, operands, shape_of(call))

    return pattern, replace


def _is_plain(call: relax.Call) -> bool:
    """One picture, equal strides, no dilation."""
    strides = {int(stride) for stride in call.attrs.strides}
    dilated = any(int(step) != 1 for step in call.attrs.dilation)
    batch = shape_of(call.args[0])[0]
    return batch == 1 and len(strides) == 1 and not dilated


def _conv_workload(call: relax.Call, relu: bool, choices: Choices) -> WindowWorkload:
    """In the layout of what it makes, or reads where every channel is convolved alone."""
    _, channels, rows, columns = shape_of(call.args[0])
    outputs, _, kernel_rows, kernel_columns = shape_of(call.args[1])
    groups = int(call.attrs.groups)
    read, made = choices.layout_of((rows, columns)), choices.layout_of(shape_of(call)[2:])
    channelwise = groups == channels == outputs
    layout = read if channelwise else made
    return WindowWorkload(
        kind="conv",
        groups=groups,
        outputs=outputs // groups,
        inputs=channels // groups,
        size=(rows, columns),
        kernel=(kernel_rows, kernel_columns),
        stride=int(call.attrs.strides[0]),
        padding=padding_of(call),
        relu=relu,
        layout=layout,
        reads_planes=layout == "channels" and read == "planes" and channels <= PICTURE_CHANNELS,
        writes_channels=channelwise and (read, made) == ("planes", "channels"),
    )


def _pool_workload(call: relax.Call, kind: str, choices: Choices) -> WindowWorkload:
    _, channels, rows, columns = shape_of(call.args[0])
    read, made = choices.layout_of((rows, columns)), choices.layout_of(shape_of(call)[2:])
    return WindowWorkload(
        kind=kind,
        groups=channels,
        outputs=1,
        inputs=1,
        size=(rows, columns),
        kernel=(int(call.attrs.pool_size[0]), int(call.attrs.pool_size[1])),
        stride=int(call.attrs.strides[0]),
        padding=padding_of(call),
        layout=read,
        writes_channels=(read, made) == ("planes", "channels"),
    )
