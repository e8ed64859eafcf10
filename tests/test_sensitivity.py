"""What int8 costs by layer adds up to what it costs, and says which layers to keep."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from compile.lower import lower
from compile.quantise.inputs import Calibration
from compile.report_tables import print_sensitivity
from compile.sensitivity.choose import (
    KeepFloat,
    KeepFloatError,
    keep_float,
    layers_within,
    steps_from_int8,
)
from compile.sensitivity.measure import measure_sensitivity
from compile.sensitivity.table import LayerCost, Sensitivity, sensitivity_table
from compile.targets import parse_target, with_dtype
from tests.small_networks import calibrated, small_network


def layer(
    name: str, macs: int, weights: float, output: float = 0.0, readers: tuple[str, ...] = ()
) -> LayerCost:
    return LayerCost(name, "1 -> 1 channels", macs, readers, weights, 0, output, 1)


THREE = Sensitivity(
    (
        layer("stem1", 500, 0.02, 0.03, ("pointwise1",)),
        layer("pointwise1", 400, 0.01, 0.04, ("dense1",)),
        layer("dense1", 100, 0.06),
    ),
    pictures=10,
    macs=1000,
)


def test_errors_add_up_as_squares() -> None:
    assert THREE.error() == pytest.approx(np.sqrt(4 + 9 + 1 + 16 + 36) / 100)
    assert THREE.error(["dense1"]) == pytest.approx(np.sqrt(30) / 100)
    assert THREE.error(THREE.names) == 0


def test_an_output_is_rounded_until_all_that_read_it_are_kept() -> None:
    assert THREE.error(["stem1"]) == pytest.approx(np.sqrt(9 + 1 + 16 + 36) / 100)
    assert THREE.error(["stem1", "pointwise1"]) == pytest.approx(np.sqrt(16 + 36) / 100)
    assert THREE.share(["stem1", "dense1"]) == 0.6


def test_what_gains_most_for_its_arithmetic_is_kept_first() -> None:
    assert list(steps_from_int8(THREE)) == [
        (), ("dense1",), ("pointwise1", "dense1"), ("stem1", "pointwise1", "dense1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("budget", "kept"), [(0.1, ()), (0.06, ("dense1",)), (0.0, ("stem1", "pointwise1", "dense1"))]
)
def test_as_many_layers_are_kept_as_a_budget_takes(budget: float, kept: tuple[str, ...]) -> None:
    assert layers_within(THREE, budget) == kept


def test_a_choice_of_layers_is_names_or_a_budget() -> None:
    assert keep_float("stem1, pointwise3..dense1") == KeepFloat(("stem1", "pointwise3..dense1"))
    assert keep_float("auto:0.01") == KeepFloat(budget=0.01)


@pytest.mark.parametrize("text", ["", "stem1,,dense1", "auto", "auto:much", "auto:1", "auto:nan"])
def test_other_choices_are_refused(text: str) -> None:
    with pytest.raises(KeepFloatError, match="expected"):
        keep_float(text)


def test_the_table_shows_every_layer_and_marks_what_is_kept() -> None:
    console = Console(width=160, file=io.StringIO())
    console.print(sensitivity_table(THREE, ["dense1"]))
    lines = [line.split() for line in console.file.getvalue().splitlines() if "│" in line]
    assert [line[1] for line in lines] == THREE.names
    assert ["float32" in line for line in lines] == [False, False, True]


def test_what_to_expect_is_printed_with_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_sensitivity(THREE, ["pointwise1..dense1"])
    *_, of_int8, with_kept = capsys.readouterr().out.splitlines()
    assert "expected in int8: 0.0812 of their range" in of_int8
    assert with_kept == "with 2 layers in float32, 50.0% of the multiply-adds: 0.0361"


@pytest.fixture(scope="module")
def measured() -> tuple[Sensitivity, float, Calibration]:
    """Of a small network, with what int8 is off by, root mean square, on the same inputs."""
    network = small_network()
    calibration = calibrated(network, 6)
    target = with_dtype(parse_target("host"), "int8")
    of_int8 = lower(network, "fused", target, calibration=calibration).network
    squares = []
    for x in calibration.inputs:
        expected = network.reference(x)
        error = (of_int8.reference(x) - expected) / np.ptp(expected)
        squares.append(np.mean(error**2))
    sensitivity = measure_sensitivity(network, target, calibration)
    return sensitivity, float(np.sqrt(np.mean(squares))), calibration


def test_layers_are_measured_in_the_order_in_which_they_run(
    measured: tuple[Sensitivity, float, Calibration],
) -> None:
    sensitivity, _, _ = measured
    assert sensitivity.names == ["stem1", "pointwise1", "avgpool1", "depthwise1", "dense1"]
    readers = {each.name: set(each.readers) for each in sensitivity.layers}
    assert readers["stem1"] == {"pointwise1", "avgpool1"}
    assert readers["depthwise1"] == readers["avgpool1"] == {"dense1"}  # through the concat
    of_weights = {each.name: each.weights_error for each in sensitivity.layers}
    assert of_weights["avgpool1"] == 0
    assert all(1e-6 < error < 0.1 for name, error in of_weights.items() if name != "avgpool1")
    assert sensitivity.layers[-1].output_error == 0  # the logits stay float32
    assert sum(each.macs for each in sensitivity.layers) == sensitivity.macs


def test_what_the_layers_cost_is_what_int8_costs(
    measured: tuple[Sensitivity, float, Calibration],
) -> None:
    sensitivity, found, _ = measured
    assert found / 1.3 < sensitivity.error() < found * 1.3


def test_a_build_and_its_table_observe_the_calibration_inputs_once(
    measured: tuple[Sensitivity, float, Calibration],
) -> None:
    _, _, calibration = measured
    assert len(calibration.seen) == 1
    assert not dataclasses.replace(calibration, inputs=calibration.inputs[:1]).seen
