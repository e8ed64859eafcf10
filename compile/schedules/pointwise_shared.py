"""The last vector of a group's outputs, shared by several pixels, with channels in the lanes.

20 outputs in lanes of 8 are two vectors and a half. Padded, the third does half its work for
nothing; here the halves of two pixels lie side by side in it:

    acc = [y(p, 16..19), y(p + 1, 16..19)]
    acc += [x(p), x(p), x(p), x(p), x(p + 1), ..] * [w(16..19), w(16..19)]

The weights are packed once for each pixel, and the inputs, which are broadcast for the other
vectors in any case, are blended: four pixels take 10 multiply-adds a step instead of 12. (3, 20,
80, 784) takes 81 us instead of 94 with it, (3, 20, 80, 196) 19.2 instead of 22.8 (one thread of an
EPYC, Zen 3, AVX2, 2026-11-25). With AVX-512 (Zen 5, 2026-11-26) it takes 4.4 % off 1x g3; eight
pixels by one vector and a quarter are faster there than sixteen (33 us against 57 for the first).
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.pointwise_place import Operands, Place
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload

FLOAT = "float32"


@dataclass(frozen=True)
class SharedPart:
    """The vectors `acc[i, lanes]` of a tile, each of which `tile.sharing` pixels share."""

    workload: PointwiseWorkload
    tile: PointwiseTile
    place: Place
    operands: Operands
    acc: tirx.Buffer

    @staticmethod
    def of(
        workload: PointwiseWorkload, tile: PointwiseTile, place: Place, operands: Operands
    ) -> SharedPart:
        """The part of the tile at `place`, its accumulators allocated."""
        acc = T.alloc_buffer((tile.rows // tile.sharing, tile.lanes), FLOAT)
        return SharedPart(workload, tile, place, operands, acc)

    def start(self) -> None:
        """Bias, and the shortcut."""
        for i, pixels in enumerate(self._pixels()):
            channels = self._channels
            bias = self.operands.bias_of(channels)
            values = [self.operands.before(bias, [pixel, channels]) for pixel in pixels]
            self._store(i, tirx.Shuffle(values, list(range(self.tile.lanes))))

    def step(self, k: tirx.Expr, channel: tirx.Expr) -> None:
        """The products of input `k`, which is `channel` of X."""
        lanes, outputs = self.tile.lanes, self._outputs
        packed = T.Ramp(self._first, 1, lanes)
        weights = self.operands.weights[self.place.group, self.place.m_tile, k, packed]
        blend = [lane + lane // outputs * lanes for lane in range(lanes)]
        for i, pixels in enumerate(self._pixels()):
            inputs = [tirx.Broadcast(self.operands.x[pixel, channel], lanes) for pixel in pixels]
            self._store(i, self._load(i) + tirx.Shuffle(inputs, blend) * weights)

    def finish(self) -> None:
        """ReLU, and the store of each pixel's outputs."""
        channels = self._channels
        stored = self.workload.first_channel + channels
        for i, pixels in enumerate(self._pixels()):
            for number, pixel in enumerate(pixels):
                first = number * self._outputs
                value = tirx.Shuffle([self._load(i)], list(range(first, first + self._outputs)))
                value = self.operands.behind(
                    self.workload, value, channels, maxnum=self.tile.maxnum
                )
                T.buffer_store(self.operands.y, value, [pixel, stored])

    @property
    def _first(self) -> int:
        """The first output of a group that lies here."""
        return (self.tile.vectors - 1) * self.tile.lanes

    @property
    def _outputs(self) -> int:
        """How many of one pixel."""
        return self.tile.lanes // self.tile.sharing

    @property
    def _channels(self) -> tirx.Expr:
        """Those outputs among all groups' channels."""
        first = self.place.group * self.workload.outputs + self._first
        return T.Ramp(first, 1, self._outputs)

    def _pixels(self) -> list[list[tirx.Expr]]:
        """The pixels that share each vector."""
        sharing = self.tile.sharing
        firsts = range(0, self.tile.rows, sharing)
        return [[self.place.pixel + first + i for i in range(sharing)] for first in firsts]

    def _load(self, i: int) -> tirx.Expr:
        return self.acc[i, T.Ramp(0, 1, self.tile.lanes)]

    def _store(self, i: int, value: tirx.Expr) -> None:
        T.buffer_store(self.acc, value, [i, T.Ramp(0, 1, self.tile.lanes)])
