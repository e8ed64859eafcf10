"""A chain of moves is known by where it takes its values from, however it is spelled."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from compile.frontend.moves import Move, Places, recognised
from compile.passes.shuffle import shuffled_from

SHAPE = (1, 12, 2, 3)
X = relax.Var("x", relax.TensorType(SHAPE, "float32"))
PLACES = np.arange(np.prod(SHAPE)).reshape(SHAPE)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_shuffle_is_known_by_its_groups(rows: int, channels_last: bool) -> None:
    index = PLACES[:, shuffled_from(12, rows)]
    index = index.transpose(0, 2, 3, 1) if channels_last else index
    assert recognised(Places(X, index)) == Move(rows, channels_last)


@pytest.mark.parametrize(
    "index",
    [
        PLACES[:, ::-1],
        PLACES[:, [1, 0, *range(2, 12)]],
        PLACES[:, [0, *range(2, 12), 1]],
        PLACES[:, :, ::-1],
        PLACES[:, :6],
        PLACES[:, [0] * 12],
        PLACES.reshape(1, 12, 6),
        PLACES.transpose(0, 1, 3, 2),
    ],
    ids=["reversed", "swapped", "rotated", "flipped", "half", "one", "flat", "transposed"],
)
def test_anything_else_is_none(index: np.ndarray) -> None:
    assert recognised(Places(X, index)) is None


def test_one_channel_is_not_shuffled() -> None:
    shape = (1, 1, 2, 3)
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    assert recognised(Places(x, np.arange(6).reshape(shape))) == Move(1, False)
