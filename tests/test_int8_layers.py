"""Layers have names in the order in which they run, alone or from one to another."""

from __future__ import annotations

import pytest

from compile.passes.int8_layers import LayerNameError, LayerNames, chosen_layers

NAMES = ["stem1", "pointwise1", "depthwise1", "pointwise2", "dense1"]


def test_layers_are_counted_by_what_they_compute() -> None:
    names = LayerNames()
    kinds = ("stem", "max", "pointwise", "channelwise", "pointwise", "mean", "concat", "dense")
    assert [names.next(kind) for kind in kinds] == [
        "stem1", None, "pointwise1", "depthwise1", "pointwise2", "avgpool1", None, "dense1",
    ]  # fmt: skip


def test_layers_are_chosen_one_by_one_and_in_spans() -> None:
    assert chosen_layers(["dense1", "stem1"], NAMES) == {"dense1", "stem1"}
    assert chosen_layers(["pointwise1..pointwise2"], NAMES) == set(NAMES[1:4])
    assert chosen_layers([], NAMES) == set()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("pointwise9", r"no layer 'pointwise9' .* there are 5, for example pointwise"),
        ("relu", r"for example stem1, pointwise1, depthwise1, \.\., pointwise2, dense1"),
        ("stem1..pointwise7", "no layer 'pointwise7'"),
        ("dense1..stem1", r"expected FIRST\.\.LAST, but stem1 runs before dense1"),
    ],
)
def test_a_layer_that_is_not_there_is_named(wanted: str, said: str) -> None:
    with pytest.raises(LayerNameError, match=said):
        chosen_layers([wanted], NAMES)
