"""An engine's accuracy and its agreement with PyTorch, picture by picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.evaluation import Evaluated, evaluate, print_evaluation
from model.labelled_pictures import LabelledPicture
from model.preprocess import PREPROCESSINGS

CLASSES = 7


def of_colours(x: np.ndarray) -> np.ndarray:
    """Seven logits that depend on the picture's first pixel."""
    return np.sin(x[:, :1, 0, 0] * np.arange(1, CLASSES + 1) / 40).astype(np.float32)


def wrong_on_dark(x: np.ndarray) -> np.ndarray:
    return of_colours(x) if x.max() > 100 else of_colours(x)[:, ::-1]


@pytest.fixture
def pictures(tmp_path: Path) -> list[LabelledPicture]:
    """Grey ones, their classes what `of_colours` says, but for the last."""
    found = []
    for index, grey in enumerate((20, 60, 120, 200)):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (9, 9), (grey,) * 3).save(path)
        best = int(of_colours(np.full((1, 3, 8, 8), grey, np.float32)).argmax())
        found.append(LabelledPicture(path, path.name, (best + (index == 3)) % CLASSES))
    return found


def evaluated(run: object, reference: object = None) -> Evaluated:
    what = {"engine": "test", "sha256": "abc", "reference": "PyTorch"}
    return Evaluated(run, reference, PREPROCESSINGS["bgr255"], (8, 8), what)


def test_accuracy_without_a_reference(pictures: list[LabelledPicture]) -> None:
    report = evaluate(evaluated(of_colours), pictures, None, None)
    assert report["accuracy"]["pictures"] == 4
    assert report["accuracy"]["top1"] == 0.75
    assert report["agreement"] is None
    assert (report["engine"], report["sha256"], report["pictures"]) == ("test", "abc", 4)


def test_agreement_counts_classes_orders_and_differences(
    pictures: list[LabelledPicture], capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"[/{letter}]" for letter in "abcdefg"]
    report = evaluate(evaluated(wrong_on_dark, of_colours), pictures, names, None)
    compared = report["agreement"]
    assert (compared["agree"], compared["same_top5"], compared["pictures"]) == (2, 2, 4)
    assert 0 < compared["max_abs_error"] <= 2
    print_evaluation(report, names)
    out = capsys.readouterr().out
    assert "the same class on 2 of 4 pictures" in out
    first = report["predictions"][0]
    assert f"{first['true_class']} {names[first['true_class']]}" in out
    assert f"{first['classes'][0]} {first['names'][0]} (" in out
    assert "first 2 of 2 disagreements" in out
    assert "0.png" in out
    assert "3.png" not in out


def test_an_interrupted_evaluation_runs_only_what_is_left(
    pictures: list[LabelledPicture], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    partial, runs = tmp_path / "partial", []

    def stops(x: np.ndarray) -> np.ndarray:
        if len(runs) == 2:
            raise KeyboardInterrupt
        runs.append(x)
        return of_colours(x)

    with pytest.raises(KeyboardInterrupt):
        evaluate(evaluated(stops), pictures, None, partial)
    seen: list[np.ndarray] = []

    def counts(x: np.ndarray) -> np.ndarray:
        seen.append(x)
        return of_colours(x)

    report = evaluate(evaluated(counts), pictures, None, partial)
    assert len(seen) == 2
    assert "2 pictures were done before, 2 are left" in capsys.readouterr().out
    assert report == evaluate(evaluated(of_colours), pictures, None, None)
    assert partial.exists()  # until the report is written
