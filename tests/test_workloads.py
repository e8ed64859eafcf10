"""MACs, parameters and bytes read off the models are the published ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from model.workloads import count_parameters, layer_workloads, total_macs
from model.zoo import build_module, default_input_size

# fmt: off
OFFICIAL = [
    # name,                MACs with FC, parameters without FC bias
    ("shufflenet-0.5x-g3",   37_589_856,    717_324),
    ("shufflenet-1.0x-g3",  137_460_672,  1_864_728),
    ("shufflenet-1.5x-g3",  292_443_552,  3_441_168),
    ("shufflenet-2.0x-g3",  524_045_184,  5_449_776),
    ("shufflenet-0.5x-g8",   40_469_760,  1_010_448),
    ("shufflenet-1.0x-g8",  138_365_952,  2_433_768),
    ("shufflenet-1.5x-g8",  290_188_800,  4_268_952),
    ("shufflenet-2.0x-g8",  521_942_016,  6_521_232),
]
WITH_BIAS = [
    # name,               parameters, convolutions' MACs in millions
    ("shufflenet-1.0x-g1",  1_531_936, 142.50),
    ("shufflenet-1.0x-g2",  1_733_848, 140.04),
    ("shufflenet-1.0x-g3",  1_865_728, 136.50),
    ("shufflenet-1.0x-g4",  1_968_344, 133.25),
    ("shufflenet-1.0x-g8",  2_434_768, 136.83),
    ("shufflenet-0.5x-g1",    534_484, None),
    ("shufflenet-0.5x-g3",    718_324, None),
]
COMPARATORS = [
    # name,           MACs in millions, parameters in millions
    ("alexnet",        724.4, 60.97),
    ("mobilenet-1.0",  568.7, None),
    ("mobilenet-0.75", 325.4, None),
    ("mobilenet-0.5",  149.5, None),
    ("mobilenet-0.25",  41.0, None),
]
# fmt: on


def macs(module: nn.Module, name: str, operator: str | None = None) -> int:
    return total_macs(layer_workloads(module, (1, 3, *default_input_size(name))), operator)


@pytest.mark.parametrize(("name", "expected_macs", "parameters"), OFFICIAL)
def test_official_variants_have_their_golden_numbers(
    name: str, expected_macs: int, parameters: int
) -> None:
    module = build_module(name, convention="official")
    assert (macs(module, name), count_parameters(module)) == (expected_macs, parameters)


@pytest.mark.parametrize(("name", "parameters", "convolutions"), WITH_BIAS)
def test_the_papers_variants_have_their_golden_numbers(
    name: str, parameters: int, convolutions: float | None
) -> None:
    module = build_module(name)
    assert count_parameters(module) == parameters
    if convolutions:
        assert round(macs(module, name, "Conv2d") / 1e6, 2) == convolutions


@pytest.mark.parametrize(("name", "millions", "parameters"), COMPARATORS)
def test_comparators_have_their_golden_numbers(
    name: str, millions: float, parameters: float | None
) -> None:
    module = build_module(name)
    assert round(macs(module, name) / 1e6, 1) == millions
    if parameters:
        assert round(count_parameters(module) / 1e6, 2) == parameters


def test_alexnets_convolutions_and_classifier_are_told_apart() -> None:
    rows = layer_workloads(build_module("alexnet"), (1, 3, 227, 227))
    assert round(total_macs(rows, "Conv2d") / 1e6, 1) == 665.8
    assert round(total_macs(rows, "Linear") / 1e6, 1) == 58.6


def test_a_row_holds_shapes_and_bytes() -> None:
    module = nn.Sequential(nn.Conv2d(6, 9, 3, 2, 1, groups=3), nn.ReLU())
    conv, relu = layer_workloads(module, (1, 6, 8, 8))
    assert (conv.kernel, conv.stride, conv.groups) == ((3, 3), (2, 2), 3)
    assert (conv.input_shape, conv.output_shape) == ((1, 6, 8, 8), (1, 9, 4, 4))
    assert conv.macs == 9 * 16 * 2 * 9
    assert (conv.input_bytes, conv.weight_bytes, conv.output_bytes) == (
        4 * 6 * 64,
        4 * (9 * 2 * 9 + 9),
        4 * 9 * 16,
    )
    assert (relu.operator, relu.macs, relu.parameters) == ("ReLU", 0, 0)


def test_reading_leaves_the_module_as_it_was() -> None:
    module = nn.Sequential(nn.BatchNorm2d(2)).train()
    before = module[0].running_mean.clone()
    layer_workloads(module, (1, 2, 4, 4))
    assert module.training
    assert torch.equal(module[0].running_mean, before)
    assert not module[0]._forward_hooks


def test_frozen_layers_stay_frozen_even_when_the_run_fails() -> None:
    module = nn.Sequential(nn.BatchNorm2d(2).eval(), nn.Linear(3, 3)).train()
    module[0].eval()
    with pytest.raises(RuntimeError):
        layer_workloads(module, (1, 2, 4, 4))
    assert (module.training, module[0].training, module[1].training) == (True, False, True)
