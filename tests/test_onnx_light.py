"""The light models of onnx's own tests, with random weights instead of equal ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
import pytest
from onnx import numpy_helper

from compile.frontend.onnx_import import import_onnx
from compile.lower import Lowered, lower
from compile.targets import parse_target
from tests.running import output_of

LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"


def lowered_with_random_weights(name: str, folder: Path) -> Lowered:
    """Equal weights would hide a wrong shuffle; those that the file generates are drawn instead."""
    model = onnx.load(LIGHT / f"{name}.onnx")
    random = np.random.default_rng(0)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "ConstantOfShape"]:
        shape = shapes[node.input[0]]
        if len(shape) == 1:  # factors, shifts, means and variances of batch norms; biases
            values = random.uniform(0.5, 1.5, shape)
        else:
            values = random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
        drawn = numpy_helper.from_array(values.astype(np.float32), node.output[0])
        model.graph.initializer.append(drawn)
        model.graph.node.remove(node)
    model.ir_version = 8  # from 4 on, weights need not be inputs, too
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    network = import_onnx(path, input_size=None, preprocessing="imagenet")
    return lower(network, "fused", parse_target("arm_cpu"))


@pytest.mark.parametrize(
    ("name", "generic"),
    [("light_shufflenet", {"softmax"}), ("light_squeezenet", {"mean", "softmax"})],
)
def test_a_light_model_gives_onnx_runtimes_numbers(
    name: str, generic: set[str], tmp_path: Path
) -> None:
    lowered = lowered_with_random_weights(name, tmp_path)
    plain = {kernel.name for kernel in lowered.kernels if kernel.source == "generic"}
    assert plain == generic
    assert not any(left for _, left in lowered.operators.values())
    assert lowered.operators["shuffles"][0] == (16 if name == "light_shufflenet" else 0)
    x = lowered.network.example_input()
    expected = lowered.network.reference(x)
    # float32 in another order, through 50 layers
    assert np.abs(output_of(lowered, x) - expected).max() < 1e-4 * np.ptp(expected)
