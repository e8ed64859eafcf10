"""From float32 to int8 and back, where layers of both meet.

    into int8:     Y[c, n] = int8 of round(X[c, n] * S[c]) + Z[c]         # see `int8_rounding`
    into float32:  Y[c, n] = float32(X[c, n] - Z[c]) * S[c]

One rounding each way: the same bits on every core. Vectors are of pixels; the last one begins
earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_lanes import Dots, dots_of
from compile.schedules.int8_rounding import rounded
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.spans import MOST, Index, pieces, span
from compile.schedules.threads import share_of
from deploy_rpc.cores import Core


@dataclass(frozen=True)
class ConversionWorkload:
    """`pixels` of each of `channels`, each of which has a scale and a zero."""

    channels: int
    pixels: int
    into: Literal["int8", "float32"]

    @property
    def macs(self) -> int:
        """None: values stay what they are."""
        return 0

    @property
    def given(self) -> str:
        """The number format of what is read."""
        return "float32" if self.into == "int8" else "int8"


@dataclass(frozen=True)
class ConversionTile:
    """The decision: by which instructions."""

    dots: Dots


def default_tile(_: ConversionWorkload, core: Core) -> ConversionTile:
    """Those of the core."""
    return ConversionTile(dots_of(core))


def int8_conversion(
    workload: ConversionWorkload, tile: ConversionTile, threads: int
) -> tirx.PrimFunc:
    """The kernel: parameters X (channels, pixels), S float32, Z int32, Y as X.

    Threads share the channels.
    """
    shape, of_channels = (workload.channels, workload.pixels), (workload.channels,)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("int8_conversion")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(shape, workload.given))
        scales = T.arg("S", T.Buffer(of_channels, "float32"))
        zeros = T.arg("Z", T.Buffer(of_channels, "int32"))
        y = T.arg("Y", T.Buffer(shape, workload.into))

        def convert(channel: tirx.Expr, first: Index, width: int) -> None:
            place = [channel, span(first, width)]
            value = _converted(workload, tile, x[tuple(place)], scales[channel], zeros[channel])
            T.buffer_store(y, value, place)

        with share_of(workload.channels, threads) as share, T.serial(*share) as channel:
            if workload.pixels < MOST:
                for first, width in pieces(workload.pixels):
                    convert(channel, first, width)
            else:
                with T.serial(len(tile_starts(workload.pixels, MOST))) as index:
                    convert(channel, start_of(index, MOST, workload.pixels), MOST)
    return builder.get().without_attr("global_symbol")


def _converted(
    workload: ConversionWorkload,
    tile: ConversionTile,
    value: tirx.Expr,
    scale: tirx.Expr,
    zero: tirx.Expr,
) -> tirx.Expr:
    if workload.into == "int8":
        return rounded(value, scale, zero, tile.dots)
    lanes = int(value.ty.dtype.lanes)
    several = f"x{lanes}" if lanes > 1 else ""
    scale, zero = (T.Broadcast(each, lanes) if lanes > 1 else each for each in (scale, zero))
    whole = tirx.Cast(f"int32{several}", value) - zero
    return tirx.Cast(f"float32{several}", whole) * scale
