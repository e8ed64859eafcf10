"""What int8 is calibrated on: pictures of a folder, or synthetic ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compile.network import Network
from compile.quantise.inputs import (
    ENOUGH_PICTURES,
    CalibrationError,
    calibration_on_pictures,
    synthetic_calibration,
)
from compile.source import random_network


@pytest.fixture(scope="module", params=["imagenet", "bgr255"])
def network(request: pytest.FixtureRequest) -> Network:
    return random_network("shufflenet-0.25x-g3", input_size=(32, 32), preprocessing=request.param)


def test_synthetic_pictures_fill_the_range_and_are_the_same_every_time(network: Network) -> None:
    first, again = (synthetic_calibration(network, 3) for _ in range(2))
    low, high = first.bounds
    for a, b in zip(first.inputs, again.inputs, strict=True):
        assert a.shape == network.input_shape
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)
        assert low * 1.1 <= a.min() < a.max() <= high
        assert np.ptp(a) > 0.8 * (high - low)
    assert not np.array_equal(*first.inputs[:2])


def test_neighbours_are_alike_as_in_pictures(network: Network) -> None:
    (x,) = synthetic_calibration(network, 1).inputs
    steps = np.abs(np.diff(x, axis=3)).mean()
    assert steps < 0.3 * np.abs(x - x.mean()).mean()


def pictures(folder: Path, count: int) -> Path:
    for index in range(count):
        path = folder / str(index % 3) / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (index % 256, 0, 0)).save(path)
    return folder


def test_pictures_are_spread_over_the_folder(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = calibration_on_pictures(pictures(tmp_path / "few", 5), network)
    assert few.described == "5 of 5 pictures of few"
    assert few.inputs[0].shape == network.input_shape
    monkeypatch.setattr("compile.quantise.inputs.ENOUGH_PIXELS", 0)
    folder = pictures(tmp_path / "many", 2 * ENOUGH_PICTURES)
    many = calibration_on_pictures(folder, network)
    assert many.described == f"{ENOUGH_PICTURES} of {2 * ENOUGH_PICTURES} pictures of many"
    assert len(many.inputs) == ENOUGH_PICTURES


def test_the_report_tells_other_pictures_apart(network: Network, tmp_path: Path) -> None:
    one, same = (pictures(tmp_path / name / "of", 3) for name in ("one", "same"))
    known = calibration_on_pictures(one, network).provenance
    assert calibration_on_pictures(same, network).provenance == known
    Image.new("RGB", (8, 8), (9, 9, 9)).save(same / "1" / "0001.png")
    other = calibration_on_pictures(same, network).provenance
    assert other["calibrated_on"] == known["calibrated_on"]
    assert other["calibration_sha256"] != known["calibration_sha256"]


def test_of_small_pictures_more_are_taken(network: Network, tmp_path: Path) -> None:
    many = calibration_on_pictures(pictures(tmp_path / "many", ENOUGH_PICTURES + 20), network)
    assert len(many.inputs) == ENOUGH_PICTURES + 20


def test_a_folder_without_pictures_is_an_error(network: Network, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CalibrationError, match=r"expected pictures .* found none; .* synthetic"):
        calibration_on_pictures(tmp_path, network)
