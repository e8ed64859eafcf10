"""What depthwise rows read at the borders is zero, in rows shorter than a vector, too."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from compile.schedules.window_tiles import default_tile
from tests.cores import A72
from tests.test_depthwise_rows import DEPTHWISE, expected, output_of


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_row_shorter_than_a_vector_is_right(rows: int, stride: int) -> None:
    """Three columns of float32; those of float16 are in test_half_kernels."""
    w = dataclasses.replace(DEPTHWISE, size=(7 * stride, 3 * stride), stride=stride, relu=True)
    tile = dataclasses.replace(default_tile(w, A72), rows=rows)
    assert (tile.lanes, tile.vectors) == (4, 1)
    np.testing.assert_allclose(output_of(w, tile), expected(w), rtol=1e-5, atol=1e-5)
