"""The channel shuffle as a pattern; moving it behind a depthwise convolution, or copying NHWC.

    conv2d(shuffle(x), W, groups=C) + b   ->   shuffle(conv2d(x, W', groups=C) + b')
    relu(shuffle(x))                      ->   shuffle(relu(x))

shuffle(x) is reshape(permute_dims(reshape(x))); W' and b' are permuted at build time. Moved only
where channels lie in the lanes: there a shuffled store would scatter, while the convolution behind
the depthwise one reads inputs one by one, in any order. In planes both are free, and it stays.
Unfused, a shuffle stays a copy, of NHWC where that is the layout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard

from compile.passes.rewriting import (
    Choices,
    Matched,
    constant,
    from_layout,
    in_layout,
    is_per_channel,
    rewrite_main,
    shape_of,
)

SHUFFLE_AXES = (0, 2, 1, 3, 4)
SHUFFLE_AXES_OF_CHANNELS = (0, 1, 2, 4, 3)


@dataclass(frozen=True)
class Shuffle:
    """The pattern of a shuffle of x: split (1, r, C / r, H, W), transposed, flattened again."""

    x: DFPattern
    split: DFPattern
    transposed: DFPattern
    flat: DFPattern

    @staticmethod
    def of(x: DFPattern) -> Shuffle:
        """The pattern of a shuffle of `x`."""
        split = is_op("relax.reshape")(x, wildcard())
        transposed = is_op("relax.permute_dims")(split)
        return Shuffle(x, split, transposed, is_op("relax.reshape")(transposed, wildcard()))

    def rows(self, matched: Matched) -> int | None:
        """The r of a match; None where reshapes and transpose do something else."""
        split, flat = shape_of(matched[self.split]), shape_of(matched[self.flat])
        axes = tuple(int(axis) for axis in matched[self.transposed].attrs.axes or ())
        if axes != SHUFFLE_AXES or flat != (split[0], split[1] * split[2], *split[3:]):
            return None
        return split[1] if shape_of(matched[self.x]) == flat else None


def move_shuffles(choices: Choices) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `choices`: Relax to Relax, main only."""

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        return _move_behind_relu(_move_behind_depthwise(module, choices), choices)

    return apply


def _move_behind_depthwise(module: tvm.IRModule, choices: Choices) -> tvm.IRModule:
    x, bias = wildcard(), is_const()
    shuffle = Shuffle.of(x)
    conv = is_op("relax.nn.conv2d")(shuffle.flat, is_const())
    biased = is_op("relax.add")(conv, bias)

    def replace(_: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        call, rows, shape = matched[conv], shuffle.rows(matched), shape_of(matched[conv])
        channels = shape[1]
        if rows is None or not _moves(matched[shuffle.flat], choices):
            return None
        if int(call.attrs.groups) != channels or not is_per_channel(matched[bias], channels):
            return None
        order = np.argsort(shuffled_from(channels, rows))
        weights = constant(call.args[1].value.numpy()[order])
        shifts = constant(matched[bias].value.numpy().reshape(1, channels, 1, 1)[:, order])
        moved = tvm.ir.Call(call.op, [matched[x], weights], call.attrs)
        return shuffled(relax.op.add(moved, shifts), rows, shape)

    return rewrite_main(module, biased, replace)


def _move_behind_relu(module: tvm.IRModule, choices: Choices) -> tvm.IRModule:
    x = wildcard()
    shuffle = Shuffle.of(x)

    def replace(_: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        rows, flat = shuffle.rows(matched), matched[shuffle.flat]
        if rows is None or not _moves(flat, choices):
            return None
        return shuffled(relax.op.nn.relu(matched[x]), rows, shape_of(flat))

    return rewrite_main(module, is_op("relax.nn.relu")(shuffle.flat), replace)


def shuffle_in_layout(choices: Choices) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass that leaves every shuffle a copy, in the layout of its size."""
    x = wildcard()
    shuffle = Shuffle.of(x)

    def replace(_: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        rows, flat = shuffle.rows(matched), matched[shuffle.flat]
        if rows is None or not _moves(flat, choices):
            return None
        batch, channels, height, width = shape_of(flat)
        nhwc = in_layout(matched[x], "channels")
        split = relax.op.reshape(nhwc, (batch, height, width, rows, channels // rows))
        transposed = relax.op.permute_dims(split, SHUFFLE_AXES_OF_CHANNELS)
        return from_layout(transposed, "channels", shape_of(flat))

    return lambda module: rewrite_main(module, shuffle.flat, replace)


def _moves(flat: relax.Expr, choices: Choices) -> bool:
    return choices.layout_of(shape_of(flat)[2:]) == "channels"


def shuffled(x: relax.Expr, rows: int, shape: tuple[int, ...]) -> relax.Expr:
    """The shuffle of NCHW `x` of `shape` into `rows` groups."""
    batch, channels, height, width = shape
    split = relax.op.reshape(x, (batch, rows, channels // rows, height, width))
    return relax.op.reshape(relax.op.permute_dims(split, SHUFFLE_AXES), shape)


def shuffled_from(channels: int, rows: int) -> np.ndarray:
    """For each channel behind the shuffle, which one before it it was."""
    return np.arange(channels).reshape(rows, channels // rows).T.reshape(-1)
