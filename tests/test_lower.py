"""Every level lowers to kernels whose MACs and answers are the network's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from torch import nn
from tvm import tirx

from compile.frontend.torch_import import import_torch
from compile.lower import LEVELS, Lowered, lower, redecided
from compile.network import Network
from compile.passes.take_decisions import Decision
from compile.schedules.spaces import space_of
from compile.schedules.templates import Workload, made_from
from compile.source import random_network
from compile.targets import host_target, parse_target
from compile.verify import verify_outputs
from deploy_rpc.cores import Core
from model.workloads import layer_workloads, total_macs
from model.zoo import MODEL_NAMES, create_model
from tests.cores import A72, AVX512, BOTH, host_with_schedules_of
from tests.running import output_of, outputs_of
from tests.small_networks import MAPS, small_maps, small_network

SHAPE = (1, 3, 64, 64)  # where all planes down to 2x2 occur
NETWORKS = [name for name in MODEL_NAMES if name != "alexnet"]
ANSWERED = (  # every scale, every number of groups
    "shufflenet-0.25x-g8", "shufflenet-0.5x-g4", "shufflenet-0.75x-g1", "shufflenet-1.0x-g3",
    "shufflenet-1.5x-g8", "shufflenet-2.0x-g2", "mobilenet-1.0",
)  # fmt: skip


def fused(name: str) -> tuple[nn.Module, Network, Lowered]:
    """The network `name` for inputs of `SHAPE`, on two threads of this machine."""
    module = create_model(name)
    network = import_torch(
        module, name=name, input_shape=SHAPE, preprocessing="imagenet", provenance={}
    )
    return module, network, lower(network, "fused", host_target(), threads=2)


def check_answers(network: Network, lowered: Lowered) -> None:
    """Within float32 sums of up to 1024 products, 50 layers deep, against the logits' range."""
    x = network.example_input()
    expected = network.reference(x)
    assert np.abs(output_of(lowered, x) - expected).max() < 1e-4 * np.ptp(expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("level", LEVELS)
def test_a_level_gives_what_pytorch_gives(level: str, threads: int) -> None:
    network = small_network()
    lowered = lower(network, level, parse_target("arm_cpu"), threads=threads)
    x = network.example_input()
    np.testing.assert_allclose(output_of(lowered, x), network.reference(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", ["stock", "unfused"])
def test_a_level_gives_every_output(level: str) -> None:
    """Fused ones are in tests/test_header_outputs.py and tests/test_network_cycles.py."""
    network = small_maps()
    x = network.example_input()
    outputs = outputs_of(lower(network, level, host_target(), threads=2), x)
    assert len(outputs) == len(MAPS)
    verify_outputs(outputs, network, network.references(x), level=level, where="this machine")


def test_new_decisions_need_no_other_pass() -> None:
    """With planes: this network has no convolution that could read its shuffle from channels."""
    network, target = small_network(), host_with_schedules_of(A72)
    fused = lower(network, "fused", target)

    def decide(workload: Workload) -> Decision:
        return Decision(space_of(workload, target.core)[-1], "tuned for here")

    anew, x = redecided(fused, decide), network.example_input()
    assert (anew.level, anew.macs) == ("tuned", fused.macs)
    assert {kernel.source for kernel in anew.kernels} == {"tuned for here"}
    np.testing.assert_allclose(output_of(anew, x), network.reference(x), rtol=1e-4, atol=1e-4)
    directly = lower(network, "tuned", target, decisions=decide)
    assert [kernel.shapes for kernel in anew.kernels] == [k.shapes for k in directly.kernels]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_its_macs_and_nothing_but_templates_when_fused(name: str) -> None:
    """No shuffle, batch norm, copy, sum, ReLU or concatenation is left; `ANSWERED` are right.

    The answers of all of them, at every level, are for `bench/numerics.py`.
    """
    module, network, lowered = fused(name)
    assert lowered.macs == total_macs(layer_workloads(module, SHAPE))
    assert lowered.workspace.bytes <= 1.1 * lowered.workspace.lower_bound
    assert {kernel.source for kernel in lowered.kernels} == {"default"}
    assert {left for _, left in lowered.operators.values()} == {0}
    if name in ANSWERED:
        check_answers(network, lowered)


def test_alexnet_keeps_its_answers_and_macs_at_its_own_size() -> None:
    network = random_network("alexnet")
    lowered = lower(network, "fused", host_target())
    assert lowered.macs == 724_406_816
    check_answers(network, lowered)


@pytest.mark.parametrize(("size", "convention"), [((33, 47), "paper"), ((45, 45), "official")])
def test_odd_sizes_are_right_and_threads_change_no_bit(
    size: tuple[int, int], convention: str
) -> None:
    module = create_model("shufflenet-0.25x-g8", convention=convention)
    network = import_torch(
        module, name="net", input_shape=(1, 3, *size), preprocessing="imagenet", provenance={}
    )
    x = network.example_input()
    expected = network.reference(x)
    one, two = (output_of(lower(network, "fused", host_target(), threads=n), x) for n in (1, 2))
    assert np.abs(one - expected).max() < 1e-4 * np.ptp(expected)  # the build's own tolerance
    assert np.array_equal(one, two)


def test_no_batch_norm_is_left_when_unfused() -> None:
    lowered = lower(small_network(), "unfused", host_target())
    assert not [kernel for kernel in lowered.kernels if "batch_norm" in kernel.name]


def test_unfused_keeps_the_shuffle_and_the_concat_as_kernels() -> None:
    names = [kernel.name for kernel in lower(small_network(), "unfused", host_target()).kernels]
    assert any(name.startswith("transpose") for name in names)
    assert any(name.startswith("concat") for name in names)


def test_unfused_and_fused_take_the_same_templates_in_the_same_layouts() -> None:
    """So that the difference between them is fusion and nothing else."""
    network = small_network()
    made = []
    for level in ("unfused", "fused"):
        lowered = lower(network, level, host_with_schedules_of(AVX512))
        functions = [f for f in lowered.module.functions.values() if isinstance(f, tirx.PrimFunc)]
        notes = [note for note in map(made_from, functions) if note is not None]
        of_pictures = [n for n in notes if n.template != "dense"]  # unfused it sees a vector
        made.append(sorted((n.template, n.workload.layout, n.workload.macs) for n in of_pictures))
    assert made[0] == made[1]


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("convention", ["paper", "official"])
def test_both_conventions_leave_no_kernel_but_the_templates(convention: str, core: Core) -> None:
    module = create_model("shufflenet-0.25x-g3", convention=convention)
    network = import_torch(
        module, name="net", input_shape=(1, 3, 64, 64), preprocessing="imagenet", provenance={}
    )
    lowered = lower(network, "fused", host_with_schedules_of(core))
    assert {kernel.source for kernel in lowered.kernels} == {"default"}
    assert {left for _, left in lowered.operators.values()} == {0}
    calls = Counter()
    for kernel in lowered.kernels:
        calls[kernel.name.split("_")[0].rstrip("0123456789")] += kernel.calls
    assert calls["pointwise"] == 32
    assert calls["stem"] == 1  # a convolution and a pool in one
    assert calls["window"] + 2 == 17 + 4


def test_kernels_say_where_their_schedule_came_from() -> None:
    network = small_network()
    by_level = {level: lower(network, level, host_target()).kernels for level in LEVELS}
    assert {kernel.source for kernel in by_level["stock"]} == {"stock"}
    assert {kernel.source for kernel in by_level["unfused"]} == {"generic", "default"}


def test_a_kernels_workload_is_its_shapes() -> None:
    """The weights as they are packed: two tiles of eight channels, of which four are in both."""
    kernels = lower(small_network(), "unfused", host_with_schedules_of(AVX512)).kernels
    assert kernels[0].workload == "3x21x21, 1x2x3x3x3x8, 12 -> 11x11x12"
    assert kernels[0].bytes == 4 * (3 * 21 * 21 + 2 * 8 * 27 + 12 + 12 * 11 * 11)


def test_the_plan_holds_at_least_the_largest_pair_of_tensors() -> None:
    lowered = lower(small_network(), "unfused", host_target())
    assert lowered.workspace.bytes >= 2 * 4 * 12 * 11 * 11


@pytest.mark.parametrize(
    ("level", "last"),
    [("stock", ["3_planned", "4_final"]), ("unfused", ["3_kernels", "4_main"])],
)
def test_the_ir_of_each_phase_is_dumped(level: str, last: list[str], tmp_path: Path) -> None:
    lower(small_network(), level, host_target(), dump=tmp_path)
    phases = ["0_graph", "1_legalised", "2_scheduled", *last]
    names = [f"{level}.{phase}.py" for phase in phases]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    scheduled = (tmp_path / f"{level}.2_scheduled.py").read_text()
    assert ("T.vectorized" in scheduled) == (level != "stock")
