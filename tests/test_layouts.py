"""Small pictures get channels in the lanes where that is cheaper; changes of layout cancel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from compile.frontend.torch_import import import_torch
from compile.passes.layouts import (
    CHANGE_CYCLES,
    _changes,
    _sizes_in_channels,
    _sizes_of_stems,
    cancel_layout_changes,
    choose_layouts,
)
from compile.schedules.window_workload import WindowWorkload
from model.zoo import create_model
from tests.cores import A72, AVX512
from tests.small_networks import small_network
from tests.test_fold_batch_norm import operators, run


def pointwise_at(side: int, outputs: int, groups: int = 3) -> tvm.IRModule:
    conv = nn.Conv2d(12 * groups, outputs * groups, 1, groups=groups)
    return small_network(nn.Sequential(nn.Conv2d(3, 12 * groups, 3, 1, 1), conv), side).module


def test_four_lanes_keep_planes() -> None:
    layout_of = choose_layouts(pointwise_at(7, 80), A72)
    assert layout_of((7, 7)) == "planes"


def test_sixteen_lanes_prefer_full_groups_of_channels_to_a_7x7_plane() -> None:
    assert choose_layouts(pointwise_at(7, 80), AVX512)((7, 7)) == "channels"


def test_sixteen_lanes_prefer_a_large_plane_to_five_channels() -> None:
    assert choose_layouts(pointwise_at(32, 5), AVX512)((32, 32)) == "planes"


def test_the_layout_of_a_network_changes_once() -> None:
    network = import_torch(
        create_model("shufflenet-1.0x-g3"),
        name="net",
        input_shape=(1, 3, 224, 224),
        preprocessing="imagenet",
        provenance={},
    )
    layout_of = choose_layouts(network.module, AVX512)
    layouts = [layout_of((side, side)) for side in (112, 56, 28, 14, 7)]
    assert sorted(layouts, reverse=True) == layouts  # planes, then channels
    assert {"planes", "channels"} == set(layouts)


def test_a_change_that_costs_more_than_it_gains_is_not_made() -> None:
    """Channels gain 10 at the smaller size and lose 5 at the other; the change would cost 1700."""
    planes, channels = Counter({(8, 8): 90, (4, 4): 110}), Counter({(8, 8): 95, (4, 4): 100})
    assert _sizes_in_channels(planes, channels, Counter()) == {(4, 4)}
    many = Counter({(4, 4): 1700})
    assert _sizes_in_channels(planes, channels, many) == {(8, 8), (4, 4)}


@pytest.mark.parametrize("kind", ["conv2d", "max_pool2d"])
def test_a_window_that_shrinks_a_picture_may_change_its_layout(kind: str) -> None:
    step = nn.MaxPool2d(3, 2, 1) if kind == "max_pool2d" else nn.Conv2d(6, 6, 3, 2, 1, groups=6)
    module = small_network(nn.Sequential(nn.Conv2d(3, 6, 1), step, nn.Conv2d(6, 4, 1)), 8).module
    assert _changes(module) == Counter({(4, 4): CHANGE_CYCLES[f"relax.nn.{kind}"] * 6 * 4 * 4})


def test_a_size_that_no_convolution_has_is_planes() -> None:
    assert choose_layouts(pointwise_at(7, 80), AVX512)((99, 99)) == "planes"


@pytest.mark.parametrize(("channels", "sizes"), [(12, set()), (24, {(32, 32)}), (32, {(32, 32)})])
def test_a_stem_depends_on_its_layout_where_its_channels_may_come_into_the_lanes(
    channels: int, sizes: set[tuple[int, int]]
) -> None:
    stem = WindowWorkload("conv", 1, channels, 3, (128, 128), (3, 3), 2, (1, 1), layout="channels")
    assert _sizes_of_stems([stem], AVX512) == sizes


@pytest.mark.parametrize(("channels", "layout"), [(12, "channels"), (24, "planes")])
def test_threads_do_not_change_the_order_in_which_a_stem_sums(channels: int, layout: str) -> None:
    """Rows share products in planes, and in channels that are no whole vectors and no half more."""
    module = small_network(
        nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels),
            nn.AvgPool2d(8),
            nn.Conv2d(channels, 80, 1),
            nn.Conv2d(80, 80, 1),
        ),
        128,
    ).module
    one, two = (choose_layouts(module, AVX512, threads) for threads in (1, 2))
    assert (one((32, 32)), one((4, 4))) == ("planes", "channels")
    assert (two((64, 64)), two((32, 32)), two((4, 4))) == ("planes", layout, "channels")


@I.ir_module
class There:
    """A change, an operator that works alike in both layouts, and the change back."""

    @R.function
    def main(x: R.Tensor((1, 2, 3, 4), "float32")) -> R.Tensor((1, 2, 3, 4), "float32"):  # noqa: N805
        with R.dataflow():
            planes = R.permute_dims(x, axes=[0, 3, 1, 2])
            active = R.nn.relu(planes)
            back = R.permute_dims(active, axes=[0, 2, 3, 1])
            R.output(back)
        return back


@I.ir_module
class Back:
    @R.function
    def main(x: R.Tensor((1, 2, 3, 4), "float32")) -> R.Tensor((1, 2, 3, 4), "float32"):  # noqa: N805
        with R.dataflow():
            back = R.nn.relu(x)
            R.output(back)
        return back


def test_changes_that_meet_behind_a_relu_cancel() -> None:
    renamed = relax.transform.CanonicalizeBindings()(cancel_layout_changes(There))
    tvm.ir.assert_structural_equal(renamed, Back)


class Changed(nn.Module):
    """A changed tensor and another meet in `join`."""

    def __init__(self, join: str) -> None:
        super().__init__()
        self.join = join
        self.register_buffer("map", torch.arange(75.0).reshape(1, 3, 5, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one = torch.relu(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        other = one if self.join != "unchanged" else x
        if self.join == "add":
            joined = one + other * 2.0
        elif self.join == "constant":
            joined = one + self.map
        elif self.join == "concat":
            joined = torch.cat([one, other * 2.0], dim=1)
        else:
            joined = torch.cat([one, other], dim=2 if self.join == "other axis" else 1)
        return torch.relu(joined).permute(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("join", "left"),
    [("add", 1), ("constant", 1), ("concat", 1), ("other axis", 3), ("unchanged", 3)],
)
def test_changes_cancel_through_sums_and_concats_of_changed_tensors(
    join: str, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that of the input is left; what cannot cancel keeps all three, and its value."""
    monkeypatch.setattr("compile.frontend.canonical.into_planes", lambda module: module)
    network = small_network(Changed(join), 5)
    module = cancel_layout_changes(relax.transform.FoldConstant()(network.module))
    assert operators(module).count("permute_dims") == left
    x = network.example_input()
    np.testing.assert_allclose(run(module, x), network.reference(x), rtol=1e-6)
