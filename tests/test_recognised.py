"""A state dict's network is told from names and shapes; that of another library is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

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
    assert f"nearest is {NAME}: 1 missing (such as {lost}); 1 unexpected (such as more)" in str(
        error.value
    )


def test_keys_of_another_library_say_which_and_what_to_do() -> None:
    tensors = {"conv_stem.weight": torch.zeros(8, 3, 3, 3)}
    with pytest.raises(CheckpointError, match="those of timm: export that network to ONNX"):
        recognised_name(tensors, Path("net.pth"), bias=True, classes=1000)
