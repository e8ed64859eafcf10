"""The original AlexNet goes through TVM's importer at every size that the benchmarks use."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program

from model.alexnet import AlexNet, CrossChannelNorm


def imported(module: nn.Module, shape: tuple[int, ...]) -> tvm.IRModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # raised inside torch.export itself
        program = torch.export.export(module.eval(), (torch.zeros(shape),))
        return from_exported_program(
            program, keep_params_as_input=False, unwrap_unit_return_tuple=True
        )


@pytest.mark.parametrize("size", [(224, 224), (227, 227), (480, 640), (720, 1280)])
def test_tvm_imports_every_size_with_the_classifier_unchanged(size: tuple[int, int]) -> None:
    main = imported(AlexNet(size), (1, 3, *size))["main"]
    assert [int(extent) for extent in main.ret_ty.shape] == [1, 1000]


def test_tvm_computes_the_normalisation_that_pytorch_does() -> None:
    x = 30 * torch.randn(1, 9, 4, 5, generator=torch.Generator().manual_seed(0))
    executable = tvm.compile(imported(CrossChannelNorm(), tuple(x.shape)), target="llvm")
    result = relax.VirtualMachine(executable, tvm.cpu())["main"](tvm.runtime.tensor(x.numpy()))
    expected = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)(x).numpy()
    # TVM's power and PyTorch's differ in the last bits of float32
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-5)


def test_only_a_size_that_misses_six_by_six_is_pooled() -> None:
    with torch.device("meta"):
        kinds = [type(AlexNet(size).reduce) for size in ((224, 224), (227, 227), (480, 640))]
    assert kinds == [nn.Identity, nn.Identity, nn.AvgPool2d]
