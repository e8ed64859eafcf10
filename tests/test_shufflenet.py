"""ShuffleNet V1: the shuffle is the paper's, and every variant takes any input size."""

from __future__ import annotations

import pytest
import torch

from model.shufflenet import ChannelShuffle
from model.zoo import build_module, create_model

SHUFFLED = [(2, 8), (3, 12), (3, 60), (4, 8), (8, 24)]  # groups, channels


@pytest.mark.parametrize(("groups", "channels"), SHUFFLED)
def test_the_paper_takes_one_channel_of_each_group_in_turn(groups: int, channels: int) -> None:
    x = torch.arange(channels).float().reshape(1, channels, 1, 1)
    per_group = channels // groups
    expected = [g * per_group + j for j in range(per_group) for g in range(groups)]
    assert ChannelShuffle(groups, "paper")(x).flatten().tolist() == expected


@pytest.mark.parametrize(("groups", "channels"), SHUFFLED)
def test_the_official_shuffle_is_the_papers_inverse(groups: int, channels: int) -> None:
    x = torch.rand(2, channels, 3, 5, generator=torch.Generator().manual_seed(0))
    shuffled = ChannelShuffle(groups, "paper")(x)
    assert torch.equal(ChannelShuffle(groups, "official")(shuffled), x)


@pytest.mark.parametrize("size", [(224, 224), (225, 225), (223, 317), (32, 64)])
def test_any_input_size_gives_logits(size: tuple[int, int]) -> None:
    model = create_model("shufflenet-0.25x-g3")
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, *size)).shape == (1, 1000)


def test_without_shuffle_groups_never_mix() -> None:
    """Changing one input channel of a grouped unit changes one third of its branch only."""
    unit = create_model("shufflenet-1.0x-g3", shuffle=False).features[1]
    x = torch.rand(1, 240, 8, 8, generator=torch.Generator().manual_seed(0))
    touched = x.clone()
    touched[:, 0] += 1
    with torch.inference_mode():
        changed = (unit(x) != unit(touched)).flatten(2).any(2)[0]
    assert changed[:80].any()
    assert not changed[80:].any()


def test_with_shuffle_groups_mix() -> None:
    unit = create_model("shufflenet-1.0x-g3").features[1]
    x = torch.rand(1, 240, 8, 8, generator=torch.Generator().manual_seed(0))
    touched = x.clone()
    touched[:, 0] += 1
    with torch.inference_mode():
        changed = (unit(x) != unit(touched)).flatten(2).any(2)[0]
    assert changed[80:].any()


def test_the_state_dict_has_the_official_keys() -> None:
    official = build_module("shufflenet-0.5x-g3", convention="official").state_dict()
    assert len(official) == 295
    assert len([key for key in official if "num_batches_tracked" not in key]) == 246
    assert {"first_conv.0.weight", "features.15.branch_main_2.1.bias"} <= official.keys()
    assert "classifier.0.bias" not in official
