"""The light models of onnx's own tests, with random weights instead of equal ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.light_models import write_with_random_weights
from compile.frontend.onnx_import import import_onnx
from compile.lower import Lowered, lower
from compile.targets import parse_target
from tests.running import output_of


def lowered_with_random_weights(name: str, folder: Path) -> Lowered:
    path = folder / f"{name}.onnx"
    write_with_random_weights(name, path)
    network = import_onnx(path, input_size=None, preprocessing="imagenet")
    return lower(network, "fused", parse_target("arm_cpu"))


@pytest.mark.parametrize(
    ("name", "generic"),
    [("shufflenet", {"softmax"}), ("squeezenet", {"mean", "softmax"})],
)
def test_a_light_model_gives_onnx_runtimes_numbers(
    name: str, generic: set[str], tmp_path: Path
) -> None:
    lowered = lowered_with_random_weights(name, tmp_path)
    plain = {kernel.name for kernel in lowered.kernels if kernel.source == "generic"}
    assert plain == generic
    assert not any(left for _, left in lowered.operators.values())
    assert lowered.operators["shuffles"][0] == (16 if name == "shufflenet" else 0)
    x = lowered.network.example_input()
    expected = lowered.network.reference(x)
    assert expected.max() < 0.5  # a softmax of one certain class would hide errors in all others
    # float32 in another order, through 50 layers
    assert np.abs(output_of(lowered, x) - expected).max() < 1e-4 * np.ptp(expected)
