"""The stem and its max pool become one kernel where both halve even planes; others stay two."""

from __future__ import annotations

import pytest
import tvm
from torch import nn

from compile import passes
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.templates import made_from
from tests.cores import A72, AVX2, AVX512
from tests.test_fold_batch_norm import operators
from tests.test_fuse_pointwise import check_numbers, fused


def stem(pool: nn.Module | None = None, relu: bool = True, **options: object) -> nn.Sequential:
    given = {"kernel_size": 3, "stride": 2, "padding": 1, **options}
    activation = nn.ReLU() if relu else nn.Identity()
    return nn.Sequential(nn.Conv2d(3, 6, **given), activation, pool or nn.MaxPool2d(3, 2, 1))


def templates(module: tvm.IRModule) -> list[str]:
    made = [made_from(f) for f in module.functions.values() if isinstance(f, tvm.tirx.PrimFunc)]
    return sorted(each.template for each in made)


def test_before_and_after() -> None:
    network, module = fused(stem(), side=32)
    assert set(operators(module)) == {"call_tir", "reshape"}
    (made,) = (made_from(f) for f in module.functions.values() if isinstance(f, tvm.tirx.PrimFunc))
    assert made.workload == StemPoolWorkload(6, 3, (32, 32))
    check_numbers(network)


def test_x86_has_one_with_channels_in_the_lanes_for_whole_vectors_of_them() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(24, 24, 1)
    )
    _, module = fused(network, side=32, core=AVX2)
    assert templates(module) == ["pointwise", "stem_pool_channels"]
    made = [made_from(f) for f in module.functions.values() if isinstance(f, tvm.tirx.PrimFunc)]
    assert StemPoolWorkload(24, 3, (32, 32), layout="channels") in [m.workload for m in made]


def test_it_may_write_channels_where_the_convolution_alone_would_write_planes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever would lie between the two: nothing does."""
    module = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    layouts = {(16, 16): "planes", (8, 8): "channels"}
    monkeypatch.setattr(passes, "choose_layouts", lambda *_: layouts.get)
    _, made = fused(module, side=32, core=AVX512)
    assert templates(made) == ["stem_pool_channels"]


@pytest.mark.parametrize("layout", ["planes", "channels"])
def test_avx_512_makes_what_is_no_whole_vector_of_channels_in_either_layout(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "choose_layouts", lambda *_: lambda _: layout)
    network, module = fused(stem(), side=32, core=AVX512)
    (made,) = (made_from(f) for f in module.functions.values() if isinstance(f, tvm.tirx.PrimFunc))
    assert made.workload == StemPoolWorkload(6, 3, (32, 32), layout=layout, winograd=True)
    check_numbers(network)


def test_avx_512_makes_planes_of_any_number_of_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "choose_layouts", lambda *_: lambda _: "planes")
    module = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    _, made = fused(module, side=32, core=AVX512)
    assert templates(made) == ["stem_pool_winograd"]


LEFT_ALONE = {
    "an odd number of rows": (stem(), 34, A72),
    "no ReLU": (stem(relu=False), 32, A72),
    "groups": (stem(groups=3), 32, A72),
    "a pool of another size": (stem(nn.MaxPool2d(2, 2)), 32, A72),
    "an average": (stem(nn.AvgPool2d(3, 2, 1)), 32, A72),
    "a convolution of stride 1": (stem(stride=1), 16, A72),
    "a core without the template": (stem(), 32, AVX2),
    "a picture narrower than a vector": (stem(), 28, AVX512),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_left_alone(name: str) -> None:
    module, side, core = LEFT_ALONE[name]
    _, made = fused(module, side=side, core=core)
    assert "stem_pool" not in templates(made)
    assert len(templates(made)) == 2
