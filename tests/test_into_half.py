"""A network in float16 between a float32 input and a float32 output."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn
from tvm import tirx

from compile.library import build_library
from compile.link import find_linker
from compile.lower import Lowered, lower
from compile.passes.into_half import HalfRangeError
from compile.passes.rewriting import results_of
from compile.schedules.templates import made_from
from compile.schedules.window_workload import WindowWorkload
from compile.targets import host_target, parse_target, with_dtype
from compile.verify import verify
from deploy_rpc.board_spec import parse_board
from deploy_rpc.session import open_session
from model.alexnet import CrossChannelNorm
from tests.small_networks import small_maps, small_network

TARGET = with_dtype(parse_target("neoverse-n1"), "float16")


@pytest.fixture(scope="module")
def fused() -> Lowered:
    return lower(small_network(), "fused", TARGET)


def dtypes(lowered: Lowered) -> dict[str, tuple[str, ...]]:
    return {kernel.name: kernel.dtypes for kernel in lowered.kernels}


def test_all_but_the_first_and_the_last_kernel_are_float16_throughout(fused: Lowered) -> None:
    first, *others, last = dtypes(fused).values()
    assert first == ("float32", "float32", "float32", "float16")
    assert last == ("float16", "float16", "float16", "float32")
    assert others
    assert all(set(each) == {"float16"} for each in others)


def test_fusion_removes_as_much_as_in_float32(fused: Lowered) -> None:
    single = lower(small_network(), "fused", parse_target("neoverse-n1"))
    assert fused.operators == single.operators
    assert fused.macs == single.macs
    assert [kernel.calls for kernel in fused.kernels] == [kernel.calls for kernel in single.kernels]
    assert {kernel.source for kernel in fused.kernels} == {"default"}


def test_weights_and_activations_take_half_the_bytes(fused: Lowered) -> None:
    single = lower(small_network(), "fused", parse_target("neoverse-n1"))
    half, whole = (
        sum(each.calls * each.bytes for each in lowered.kernels[1:-1])
        for lowered in (fused, single)
    )
    assert half == pytest.approx(whole / 2, rel=0.05)


@pytest.mark.parametrize("level", ["unfused", "fused"])
def test_the_library_answers_within_the_tolerance_of_float16(level: str, tmp_path: Path) -> None:
    network = small_network()
    library = tmp_path / "network.so"
    host = host_target()
    build_library(lower(network, level, TARGET), host, find_linker("auto", host), library)
    expected = network.references(network.example_input())
    with open_session(parse_board("local")) as session:
        module = session.load(library, output_shapes=network.output_shapes, threads=1)
        (found,) = verify(module, network, expected, level=level, where="here", dtype="float16")
    assert 1e-6 < found.relative_error < 1e-2


def test_an_unfused_operator_works_on_float16() -> None:
    kinds = dtypes(lower(small_network(), "unfused", TARGET))
    assert set(kinds["relu"]) == {"float16"}
    assert set(kinds["concatenate"]) == {"float16"}


def test_a_template_without_float16_works_between_two_conversions() -> None:
    lowered = lower(small_network(Normalised(), 8), "fused", TARGET)
    names = list(dtypes(lowered))
    assert dtypes(lowered)["lrn"] == ("float32", "float32")
    assert [name for name in names if name.startswith("cast")] == ["cast", "cast1", "cast2"]


def test_threads_share_the_kernels_of_float16() -> None:
    lowered = lower(small_network(), "fused", TARGET, threads=2)
    made = [made_from(f) for f in lowered.module.functions.values() if isinstance(f, tirx.PrimFunc)]
    assert {each.threads for each in made} == {2}
    assert all(
        each.tile.lanes == 8 for each in made if is_half_window_of_whole_vectors(each.workload)
    )


def is_half_window_of_whole_vectors(workload: object) -> bool:
    wide = isinstance(workload, WindowWorkload) and workload.output_size[1] >= 8
    return wide and workload.dtype == "float16"


def test_a_weight_that_float16_does_not_hold_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 1))
    with torch.no_grad():
        model[2].bias[3] = 1e5
    with pytest.raises(HalfRangeError, match=r"1e\+05 is beyond float16, whose largest is 65504"):
        lower(small_network(model.eval(), 16), "fused", TARGET)


def test_what_is_returned_is_float32_whatever_computes_it() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU())
    lowered = lower(small_network(model.eval(), 16), "fused", TARGET)
    assert lowered.kernels[-1].dtypes[-1] == "float32"


def test_maps_that_are_returned_and_used_are_float16_inside_and_float32_outside() -> None:
    network = small_maps()
    lowered = lower(network, "fused", TARGET)
    results = [str(result.ty.dtype) for result in results_of(lowered.module["main"])]
    assert results == ["float32"] * len(network.outputs)
    assert ("float16", "float32") in dtypes(lowered).values()  # a map, converted behind its use


def test_float32_is_left_as_it_was() -> None:
    single = dataclasses.replace(TARGET, dtype="float32")
    assert {
        d for each in dtypes(lower(small_network(), "fused", single)).values() for d in each
    } == {"float32"}


class Normalised(nn.Module):
    """A convolution, and the normalisation of AlexNet behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)
        self.norm = CrossChannelNorm()
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(torch.relu(self.conv(x))).mean((2, 3)))
