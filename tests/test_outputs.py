"""Outputs have names and sizes, and whoever wants one says so when there are several."""

from __future__ import annotations

import pytest

from model.outputs import Output, SeveralOutputsError, the_only

MAPS = (Output("stride4", (1, 12, 8, 9), 4), Output("stride8", (1, 60, 4, 5), 8))


def test_an_output_says_its_name_and_size() -> None:
    assert str(MAPS[0]) == "stride4 1x12x8x9"
    assert MAPS[0].values == 12 * 8 * 9


def test_the_only_output_is_taken_and_several_are_refused_by_name() -> None:
    assert the_only([7]) == 7
    with pytest.raises(SeveralOutputsError, match=r"got one with 2: stride4 1x12x8x9, stride8 "):
        the_only(MAPS)
    with pytest.raises(SeveralOutputsError, match=r"got one with 3$"):
        the_only([1, 2, 3])
