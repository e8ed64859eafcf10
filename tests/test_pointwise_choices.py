"""A decision of a pointwise kernel is offered where a core has the registers for it."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pointwise_choices import has_tail
from tests.cores import A72
from tests.pointwise_kernels import ON_7X7


@pytest.mark.parametrize(
    ("pixels", "rows", "vectors", "expected"),
    [(49, 4, 6, True), (48, 4, 6, False), (49, 5, 4, False), (49, 4, 7, False), (51, 8, 3, False)],
    ids=["a pixel left", "no pixel left", "weights one by one", "registers full", "three left"],
)
def test_a_tail_needs_pixels_weights_in_vectors_and_registers(
    pixels: int, rows: int, vectors: int, expected: bool
) -> None:
    w = dataclasses.replace(ON_7X7, pixels=pixels)
    assert has_tail(w, A72, rows, vectors, lanes=4) == expected
