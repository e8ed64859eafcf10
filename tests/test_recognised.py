"""A state dict's network is told from names and shapes; that of another library is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.checkpoint_file import CheckpointError
from model.recognised import counters_of, recognised_name, without_counters
from model.zoo import build_module

NAME = "shufflenet-0.25x-g3"


def test_counters_of_batches_do_not_count() -> None:
    module = build_module(NAME)
    tensors = module.state_dict()
    bare = without_counters(tensors)
    assert bare.keys() | counters_of(module).keys() == tensors.keys()
    assert counters_of(module)
    for each in (tensors, bare):
        assert recognised_name(each, Path("net.pth"), bias=True, classes=1000) == NAME


def test_the_nearest_network_and_what_differs_are_named() -> None:
    tensors = build_module(NAME).state_dict()
    lost = next(key for key in tensors if key.endswith("weight"))
    tensors["more"] = tensors.pop(lost)
    with pytest.raises(CheckpointError) as error:
        recognised_name(tensors, Path("net.pth"), bias=True, classes=1000)
    assert f"nearest is {NAME}: 1 missing ({lost}); 1 unexpected (more)" in str(error.value)


@pytest.mark.parametrize(("renamed", "hidden"), [(20, ""), (21, " and 11 more")])
def test_all_keys_that_differ_are_listed_where_they_are_few(renamed: int, hidden: str) -> None:
    tensors = build_module(NAME).state_dict()
    keys = list(without_counters(tensors))[:renamed]
    others = {f"my.{key}" if key in keys else key: value for key, value in tensors.items()}
    with pytest.raises(CheckpointError) as error:
        recognised_name(others, Path("net.pth"), bias=True, classes=1000)
    shown = keys if not hidden else keys[:10]
    assert f"nearest is {NAME}: {renamed} missing ({', '.join(shown)}{hidden}); " in str(
        error.value
    )
