"""Which ShuffleNets can be built, and what is said of those that cannot."""

from __future__ import annotations

import pytest

from model.variants import VariantError, shufflenet_config, shufflenet_names

# fmt: off
OFFICIAL_WIDTHS = [
    # scale, groups, stem, stages
    (0.5, 3, 12, (120, 240, 480)),
    (1.0, 3, 24, (240, 480, 960)),
    (1.5, 3, 24, (360, 720, 1440)),
    (2.0, 3, 48, (480, 960, 1920)),
    (0.5, 8, 16, (192, 384, 768)),
    (1.0, 8, 24, (384, 768, 1536)),
    (1.5, 8, 24, (576, 1152, 2304)),
    (2.0, 8, 48, (768, 1536, 3072)),
    (0.5, 4, 12, (144, 288, 576)),
]
# fmt: on


@pytest.mark.parametrize(("scale", "groups", "stem", "stages"), OFFICIAL_WIDTHS)
def test_published_variants_have_their_published_channels(
    scale: float, groups: int, stem: int, stages: tuple[int, int, int]
) -> None:
    config = shufflenet_config(scale, groups)
    assert (config.stem_channels, config.stage_channels) == (stem, stages)


def test_every_paper_variant_at_full_width_can_be_built() -> None:
    assert {f"shufflenet-1.0x-g{groups}" for groups in (1, 2, 3, 4, 8)} <= set(shufflenet_names())
    assert len(shufflenet_names()) == 23


@pytest.mark.parametrize(("scale", "groups"), [(0.25, 2), (0.25, 4), (0.5, 2), (1.5, 2), (1.5, 4)])
def test_an_impossible_variant_says_why_and_names_the_nearest(scale: float, groups: int) -> None:
    with pytest.raises(VariantError) as caught:
        shufflenet_config(scale, groups)
    message = str(caught.value)
    assert f"{groups} groups do not divide" in message
    named = message.split("nearest that can: ")[1].split(", ")
    assert len(named) == 2
    assert set(named) <= set(shufflenet_names())


@pytest.mark.parametrize(("scale", "groups"), [(3.0, 3), (1.0, 5), (0.0, 1), (1.0, 0)])
def test_an_unknown_scale_or_group_count_lists_the_known(scale: float, groups: int) -> None:
    with pytest.raises(VariantError, match=r"0\.25, 0\.5"):
        shufflenet_config(scale, groups)


def test_the_official_convention_has_no_classifier_bias() -> None:
    assert shufflenet_config(1.0, 3).classifier_bias
    assert not shufflenet_config(1.0, 3, convention="official").classifier_bias
