"""The paper's recipe, part by part."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from model.training.batch_norms import reestimate_batch_norms
from model.training.recipe import learning_rate, loss_of, make_optimizer, set_learning_rate
from model.training.run_state import new_module, new_run
from model.training.settings import Settings

SETTINGS = Settings("shufflenet-0.25x-g3", classes=10, input_size=(32, 32), data="")


def test_the_defaults_are_the_papers() -> None:
    assert (SETTINGS.lr, SETTINGS.momentum, SETTINGS.weight_decay) == (0.5, 0.9, 4e-5)
    assert (SETTINGS.label_smoothing, SETTINGS.batch_size, SETTINGS.ema) == (0.1, 1024, 0)
    pictures = 1_281_167
    assert SETTINGS.epochs * (pictures // SETTINGS.batch_size) == pytest.approx(300_000, rel=1e-2)


def test_the_learning_rate_falls_to_nothing_on_a_line() -> None:
    rates = [learning_rate(step, 4, 0.5) for step in range(5)]
    assert rates == [0.5, 0.375, 0.25, 0.125, 0]


def test_one_dimensional_parameters_do_not_decay() -> None:
    module = new_module(SETTINGS)
    decayed, others = make_optimizer(module, SETTINGS).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (4e-5, 0)
    assert all(parameter.ndim > 1 for parameter in decayed["params"])
    assert all(parameter.ndim == 1 for parameter in others["params"])
    count = len(decayed["params"]) + len(others["params"])
    assert count == len(list(module.parameters()))


def test_a_learning_rate_is_that_of_all_parameters() -> None:
    optimizer = make_optimizer(new_module(SETTINGS), SETTINGS)
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


def test_label_smoothing_spreads_a_tenth_over_all_classes() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    log_total = math.log(math.exp(2) + 1 + math.exp(-1))
    logs = [2 - log_total, -log_total, -1 - log_total]
    expected = -0.9 * logs[0] - 0.1 * sum(logs) / 3
    assert loss_of(logits, torch.tensor([0]), SETTINGS).item() == pytest.approx(expected)


def test_batch_norms_become_the_mean_of_the_batches() -> None:
    norm = nn.BatchNorm2d(2)
    norm.running_mean.fill_(99)
    random = torch.Generator().manual_seed(0)
    batches = [torch.randn(4, 2, 3, 3, generator=random) + shift for shift in (0, 2, 4)]
    reestimate_batch_norms(norm, batches)
    means = torch.stack([x.mean((0, 2, 3)) for x in batches]).mean(0)
    variances = torch.stack([x.var((0, 2, 3)) for x in batches]).mean(0)
    torch.testing.assert_close(norm.running_mean, means)
    torch.testing.assert_close(norm.running_var, variances)
    assert norm.momentum == 0.1
    assert norm.weight.grad is None


def test_a_network_without_batch_norms_is_not_run() -> None:
    reestimate_batch_norms(nn.Linear(2, 2), iter(()))


def test_averaged_weights_follow_by_their_decay() -> None:
    settings = Settings("shufflenet-0.25x-g1", 2, (32, 32), "", ema=0.75)
    run = new_run(new_module(settings), settings, torch.device("cpu"))
    weight = run.module.first_conv[0].weight
    first = weight.detach().clone()
    run.averaged.update_parameters(run.module)
    with torch.no_grad():
        weight += 1
    run.averaged.update_parameters(run.module)
    torch.testing.assert_close(run.final_module.first_conv[0].weight, first + 0.25)


def test_without_averaging_the_result_is_the_network_itself() -> None:
    run = new_run(new_module(SETTINGS), SETTINGS, torch.device("cpu"))
    assert run.final_module is run.module


def test_first_weights_depend_on_the_seed_alone() -> None:
    first = new_module(SETTINGS).state_dict()
    torch.manual_seed(7)
    again = new_module(SETTINGS).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
