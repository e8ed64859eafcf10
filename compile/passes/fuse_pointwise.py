"""Every 1x1 convolution becomes one kernel with its bias, ReLU, shortcut and channel shuffle.

    relu(add(add(conv2d(x, W), b), shortcut))          ->  call_tir(pointwise, x, W', b, shortcut)
    shuffle(relu(add(conv2d(x, W), b)))                ->  call_tir(pointwise, x, W', b)
    add(conv2d(shuffle(x), W), b)                      ->  call_tir(pointwise, x, W', b)
    maximum(add(add(conv2d(x, W), 0), shortcut), c)    ->  call_tir(pointwise, x, W', shortcut, c)

shuffle(x) is reshape(permute_dims(reshape(x))). Behind the convolution it becomes the store index,
before it the load index: neither costs a copy. ReLU, shuffle and shortcut may each be there or not.
W' is packed for the tile. With channels in the lanes only a shuffle before is taken (see `shuffle`,
which moves the others there). Left alone: strides, dilation, padding, no bias, weights that vary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    shape_of,
)
from compile.passes.shuffle import Shuffle
from compile.schedules.pointwise_workload import PointwiseWorkload


def fuse_pointwise(choices: Choices) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `choices`: Relax to Relax, main only. Unfused, only the bias is taken."""
    forms = _forms() if choices.fused else [_form(relu=False)]
    return in_turn([(form.pattern, _replacing(form, choices)) for form in forms])


@dataclass(frozen=True)
class _Form:
    """One pattern and the parts of it that a match hands back."""

    pattern: DFPattern
    conv: DFPattern
    x: DFPattern
    bias: DFPattern
    relu: DFPattern | None
    shortcut: DFPattern | None
    floor: DFPattern | None
    behind: Shuffle | None
    before: Shuffle | None


def _forms() -> list[_Form]:
    """Largest first."""
    with_shortcut = [
        _form(relu=True, shortcut=side, behind=behind)
        for behind in (True, False)
        for side in ("left", "right")
    ]
    plain = [
        _form(relu=relu, behind=behind, before=before)
        for before in (True, False)
        for behind in (True, False)
        for relu in (True, False)
    ]
    before = [_form(relu=True, shortcut=side, before=True) for side in ("left", "right")]
    floored = [
        _form(relu=False, shortcut=side, floored=True, before=before)
        for before in (True, False)
        for side in ("left", "right")
    ]
    return [*before, *with_shortcut, *floored, *plain]


def _form(
    *,
    relu: bool,
    shortcut: str = "",
    floored: bool = False,
    behind: bool = False,
    before: bool = False,
) -> _Form:
    x, bias, other, floor = wildcard(), is_const(), wildcard(), is_const()
    shuffled_x = Shuffle.of(x) if before else None
    conv = is_op("relax.nn.conv2d")(shuffled_x.flat if shuffled_x else x, is_const())
    result = is_op("relax.add")(conv, bias)
    if shortcut:
        sides = (other, result) if shortcut == "left" else (result, other)
        result = is_op("relax.add")(*sides)
    activated = is_op("relax.nn.relu")(result) if relu else None
    result = activated if relu else result
    result = is_op("relax.maximum")(result, floor) if floored else result
    shuffled = Shuffle.of(result) if behind else None
    return _Form(
        pattern=shuffled.flat if shuffled else result,
        conv=conv,
        x=x,
        bias=bias,
        relu=activated,
        shortcut=other if shortcut else None,
        floor=floor if floored else None,
        behind=shuffled,
        before=shuffled_x,
    )


def _replacing(form: _Form, choices: Choices) -> Replace:
    """What puts a kernel in the place of a match of `form`."""

    def replace(builder: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        workload = _workload(form, matched, choices)
        if workload is None:
            return None
        conv, made = matched[form.conv], choices.make(workload)
        operands = [
            in_layout(matched[form.x], workload.layout),
            constant(made.packed(conv.args[1].value.numpy())),
            *([flat(matched[form.bias])] if workload.bias else []),
        ]
        if form.shortcut:
            operands.append(in_layout(matched[form.shortcut], workload.layout))
        if form.floor:
            operands.append(flat(matched[form.floor]))
        return call_kernel(builder, made, "pointwise", operands, shape_of(conv))

    return replace


def _workload(form: _Form, matched: Matched, choices: Choices) -> PointwiseWorkload | None:
    """What a match computes; None where it is not what its form looks like."""
    conv = matched[form.conv]
    behind = form.behind.rows(matched) if form.behind else 1
    before = form.before.rows(matched) if form.before else 1
    _, outputs, height, width = shape_of(conv)
    layout = choices.layout_of((height, width))
    if behind is None or before is None or not _moves_nothing(conv):
        return None
    if behind > 1 and layout == "channels":  # a store of neighbouring lanes cannot shuffle them
        return None
    constants = [matched[part] for part in (form.bias, form.floor) if part]
    if not all(is_per_channel(values, outputs) for values in constants):
        return None
    if form.shortcut is not None and shape_of(matched[form.shortcut]) != shape_of(conv):
        return None
    groups = int(conv.attrs.groups)
    return PointwiseWorkload(
        groups=groups,
        outputs=outputs // groups,
        inputs=shape_of(conv.args[1])[1],
        pixels=height * width,
        relu=form.relu is not None,
        shortcut=form.shortcut is not None,
        shuffle_rows=behind,
        load_rows=before,
        layout=layout,
        bias=form.shortcut is None or not is_zero(matched[form.bias]),
        floor=form.floor is not None,
    )


def _moves_nothing(conv: relax.Call) -> bool:
    """Whether `conv` is 1x1 on one picture, without stride, padding or dilation."""
    attrs = conv.attrs
    steps = [int(step) for step in (*attrs.strides, *attrs.dilation)]
    padding = [int(pad) for pad in attrs.padding]
    kernel, batch = shape_of(conv.args[1])[2:], shape_of(conv)[0]
    return kernel == (1, 1) and batch == 1 and set(steps) == {1} and not any(padding)
