"""Classes of pictures, and what is said of them, from any module that gives logits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy_rpc.built_library import BuiltLibrary
from deploy_rpc.predictions import classify, summarise
from model.outputs import Output
from model.predictions import disagreements
from model.preprocess import PREPROCESSINGS

LOGITS = np.log(np.array([[0.1, 0.2, 0.05, 0.5, 0.1, 0.05]], np.float32))
LIBRARY = BuiltLibrary(
    path=Path("net.so"),
    model="net",
    convention="paper",
    target="host",
    core="host",
    triple="x86_64-linux-gnu",
    prefix="net",
    threads=1,
    input_shape=(1, 3, 8, 8),
    outputs=(Output("output", (1, 6)),),
    fields=("output",),
    preprocessing=PREPROCESSINGS["bgr255"],
)


class Constant:
    """A loaded module with the same logits for every picture."""

    def run(self, x: np.ndarray) -> np.ndarray:
        assert x.shape == LIBRARY.input_shape
        return LOGITS


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.new("RGB", (9, 9)).save(path)
    return path


def test_the_best_five_come_with_their_probabilities(picture: Path) -> None:
    prediction = classify(Constant(), LIBRARY, picture, list("uvwxyz"), {}, None)
    assert prediction.classes == [3, 1, 0, 4, 2]
    assert prediction.names == list("xvuyw")
    assert prediction.probabilities == pytest.approx([0.5, 0.2, 0.1, 0.1, 0.05])
    assert prediction.true_class is None


def test_accuracy_counts_the_pictures_whose_class_is_known(picture: Path) -> None:
    truths: list[dict[str, int]] = [{"a.png": 3}, {"a.png": 2}, {"a.png": 5}, {}]
    rows = [classify(Constant(), LIBRARY, picture, None, truth, None) for truth in truths]
    report = summarise(LIBRARY, "local", rows, None)
    assert report["accuracy"] == {"pictures": 3, "top1": 1 / 3, "top5": 2 / 3}
    assert report["agreement"] is None
    assert report["latency"] is None


def test_agreement_is_of_top_classes_and_logits(picture: Path) -> None:
    def other(x: np.ndarray) -> np.ndarray:
        return LOGITS[:, ::-1]

    rows = [classify(Constant(), LIBRARY, picture, None, {}, r) for r in (Constant().run, other)]
    report = summarise(LIBRARY, "local", rows, [3.0, 1.0, 2.0])
    assert report["agreement"]["agree"] == 1
    assert report["agreement"]["pictures"] == 2
    assert report["agreement"]["max_abs_error"] == pytest.approx(np.log(0.5 / 0.05))
    assert report["latency"]["median"] == 2.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_disagree_and_leave_the_report_valid_json(
    value: float, picture: Path
) -> None:
    """Whichever picture comes first: of two numbers Python's max keeps the first beside a NaN."""

    class Broken(Constant):
        def run(self, x: np.ndarray) -> np.ndarray:
            logits = super().run(x).copy()
            logits[0, 5] = value
            return logits

    reference = Constant().run
    modules = (Constant(), Broken(), Constant())
    rows = [classify(module, LIBRARY, picture, None, {}, reference) for module in modules]
    report = summarise(LIBRARY, "local", rows, None)
    compared = report["agreement"]
    assert (compared["pictures"], compared["agree"], compared["not_finite"]) == (3, 2, 1)
    assert (compared["max_abs_error"], compared["same_top5"]) == (0, 2)
    assert disagreements(rows) == [rows[1]]
    json.dumps(report, allow_nan=False)
