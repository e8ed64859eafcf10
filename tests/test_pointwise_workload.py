"""What a 1x1 convolution computes: its extents, and where a shuffle puts its channels."""

from __future__ import annotations

import numpy as np
import pytest

from compile.schedules.pointwise_workload import PointwiseWorkload


@pytest.mark.parametrize("layout", ["planes", "channels"])
def test_extents(layout: str) -> None:
    w = PointwiseWorkload(3, 8, 5, 49, True, False, layout=layout, stored_channels=60)
    assert w.macs == 3 * 8 * 5 * 49
    assert w.channels == 24
    assert w.output_shape == ((60, 49) if layout == "planes" else (49, 60))
    assert w.output_layout == layout


@pytest.mark.parametrize("rows", [1, 2, 3, 12])
def test_a_shuffle_behind_stores_where_reshape_and_transpose_put_a_channel(rows: int) -> None:
    w = PointwiseWorkload(3, 8, 5, 49, True, False, shuffle_rows=rows, first_channel=7)
    behind = np.arange(24).reshape(rows, -1).T.reshape(-1)
    assert [w.stored_channel(int(channel)) - 7 for channel in behind] == list(range(24))


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_a_shuffle_before_is_read_where_it_took_a_channel_from(rows: int) -> None:
    w = PointwiseWorkload(3, 8, 5, 49, True, False, load_rows=rows)
    before = np.arange(15).reshape(rows, -1).T.reshape(-1)
    assert [w.loaded_channel(channel) for channel in range(15)] == before.tolist()
