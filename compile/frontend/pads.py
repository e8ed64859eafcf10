"""Borders that an operator of their own adds become the padding of the operator behind it.

    conv2d(pad(x), W)                  ->   conv2d(x, W, padding)
    avg_pool2d(pad(x))                 ->   avg_pool2d(x, padding, count_include_pad)

TensorFlow pads its strided convolutions so. Left alone: borders of something else than zeros, of
channels, before a pool that pads by itself, or in which a window of the pool has room.
"""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.relax.dpl import is_op, rewrite_call, wildcard

from compile.passes.rewriting import Matched, windows_reach_the_picture


def into_padding(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    x, weights = wildcard(), wildcard()
    padded = is_op("relax.nn.pad")(x)
    conv = is_op("relax.nn.conv2d")(padded, weights)
    pool = is_op("relax.nn.avg_pool2d")(padded)

    def of_convolution(original: relax.Expr, matched: Matched) -> relax.Expr:
        border, call = _border(matched[padded]), matched[conv]
        if border is None:
            return original
        attrs = call.attrs
        total = [have + more for have, more in zip(_padding(call), border, strict=True)]
        return relax.op.nn.conv2d(
            matched[x], matched[weights], attrs.strides, total, attrs.dilation, int(attrs.groups)
        )

    def of_pool(original: relax.Expr, matched: Matched) -> relax.Expr:
        border, call = _border(matched[padded]), matched[pool]
        attrs = call.attrs
        if border is None or any(_padding(call)) or attrs.ceil_mode:
            return original
        if not windows_reach_the_picture(border, [int(extent) for extent in attrs.pool_size]):
            return original
        return relax.op.nn.avg_pool2d(
            matched[x], attrs.pool_size, attrs.strides, border, attrs.dilation,
            count_include_pad=True,
        )  # fmt: skip

    updated = module.clone()
    main = rewrite_call(conv, of_convolution, module["main"])
    updated["main"] = rewrite_call(pool, of_pool, main)
    return relax.transform.DeadCodeElimination()(updated)


def _border(pad: relax.Call) -> list[int] | None:
    """(top, left, bottom, right) of zeros that `pad` adds; None where it adds something else."""
    widths = [int(width) for width in pad.attrs.pad_width]
    zeros = pad.attrs.pad_mode == "constant" and float(pad.attrs.pad_value) == 0
    if len(widths) != 8 or any(widths[:4]) or min(widths) < 0 or not zeros:
        return None
    top, bottom, left, right = widths[4:]
    return [top, left, bottom, right]


def _padding(call: relax.Call) -> list[int]:
    """(top, left, bottom, right)."""
    return [int(width) for width in call.attrs.padding]
