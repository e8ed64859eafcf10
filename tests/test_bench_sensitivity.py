"""The rows of suite sensitivity: each layer, and what keeping layers in float32 brings."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from rich.console import Console

import bench.sensitivity
from bench.accuracy_subjects import Subject
from bench.sensitivity import measure_int8_by_layer, sensitivity_tables
from compile.sensitivity.table import LayerCost, Sensitivity
from compile.targets import parse_target, with_dtype
from deploy_rpc.board_spec import parse_board
from model.labelled_pictures import LabelledPicture
from tests.needs import needs_modelled_board
from tests.packages import picture
from tests.small_networks import small_network

MEASURED = Sensitivity(
    (
        LayerCost("stem1", "3 -> 12 channels", 900, ("dense1",), 0.001, 0, 0.002, 1),
        LayerCost("dense1", "24 -> 10 channels", 100, (), 0.003, 0, 0.0, 0),
    ),
    pictures=3,
    macs=1000,
)


class SmallSubject(Subject):
    """Of a few layers, over pictures of noise."""

    def network(self) -> object:
        return small_network()


@needs_modelled_board
def test_layers_have_rows_and_so_has_the_network_in_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.sensitivity, "STEPS", 1)
    monkeypatch.setattr(bench.sensitivity, "measure_sensitivity", lambda *_: MEASURED)
    network = small_network()
    found = [picture(tmp_path / f"{seed}.ppm", (30, 30), seed) for seed in range(3)]
    pictures = [LabelledPicture(path, path.name, 0) for path in found]
    subject = SmallSubject("noise", None, pictures, tmp_path, network.reference)
    target = with_dtype(parse_target("neoverse-n1"), "int8")
    rows = list(measure_int8_by_layer(subject, target, parse_board("modelled:neoverse-n1")))
    layers = [row for row in rows if row["layer"] is not None]
    assert [row["layer"] for row in layers] == ["stem1", "dense1"]
    assert sum(row["macs_share"] for row in layers) == pytest.approx(1)
    (int8,) = (row for row in rows if row["layer"] is None)
    assert (int8["kept"], int8["kind"], int8["unit"]) == ([], "modelled", "Mcycles")
    assert int8["expected_error"] == MEASURED.error()
    assert 0 < statistics.median(int8["errors"]) < 0.1
    assert int8["calibrated_on"] == "3 of 3 pictures of " + tmp_path.name
    console = Console(width=200, record=True)
    console.print(sensitivity_tables([*rows, int8 | {"kept": ["stem1", "dense1"]}]))
    text = console.export_text()
    assert "nothing" in text
    assert "stem1, dense1" in text
