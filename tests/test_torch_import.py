"""PyTorch's export, translated as it is, gives what its decomposition into core operators does."""

from __future__ import annotations

import warnings

import pytest
import torch
import tvm
from torch import nn
from tvm.relax.frontend.torch import from_exported_program

from compile.frontend.canonical import UnsupportedNetworkError, canonicalise
from compile.frontend.torch_import import import_torch
from compile.network import Network
from model.zoo import create_model
from tests.small_networks import ShuffledBlock, with_drawn_statistics

SHAPE = (1, 3, 33, 64)


def imported(module: nn.Module) -> Network:
    return import_torch(
        module, name="net", input_shape=SHAPE, preprocessing="imagenet", provenance={}
    )


def decomposed(module: nn.Module) -> tvm.IRModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        program = torch.export.export(module, (torch.zeros(SHAPE),))
        return canonicalise(from_exported_program(program, unwrap_unit_return_tuple=True))


def without_biases() -> nn.Module:
    """What no network of the zoo has: an adaptive pool to several pixels, a bare linear layer."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, eps=1e-3), nn.ReLU(),
        nn.AdaptiveAvgPool2d((3, 4)), nn.Flatten(), nn.Dropout(), nn.Linear(96, 5, bias=False),
    )  # fmt: skip


MODULES = {
    "shuffled block": ShuffledBlock,
    "without biases": without_biases,
    "shufflenet": lambda: create_model("shufflenet-0.25x-g8", convention="official"),
    "mobilenet": lambda: create_model("mobilenet-0.25"),
}


@pytest.mark.parametrize("name", MODULES)
def test_the_import_equals_that_of_core_operators(name: str) -> None:
    module = with_drawn_statistics(MODULES[name]())
    tvm.ir.assert_structural_equal(imported(module).module, decomposed(module))


def test_a_batch_norm_in_training_is_refused() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).train()
    with pytest.raises(UnsupportedNetworkError, match=r"call \.eval"):
        imported(module)
