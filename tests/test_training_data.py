"""Training and held-out pictures are of the same classes, or the run does not begin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from model.training.data import TrainingDataError, training_data


def tree(folder: Path, training: str, held_out: str) -> Path:
    """A picture in each class folder; the names of a split are single words."""
    for split, names in (("train", training), ("val", held_out)):
        for name in names.split():
            (folder / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(folder / split / name / "0.png")
    return folder


@pytest.mark.parametrize(
    ("training", "held_out", "classes"), [("a b c", "a b c", [0, 1, 2]), ("0 1 2", "0 2", [0, 2])]
)
def test_held_out_pictures_are_of_the_classes_trained_on(
    training: str, held_out: str, classes: list[int], tmp_path: Path
) -> None:
    data = training_data(tree(tmp_path, training, held_out))
    assert data.classes == 3
    assert [picture.true_class for picture in data.held_out] == classes


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ("a c d", "missing there: b; only there: d"),
        ("a b", "missing there: c; only there: none"),
        ("0 1 2", "missing there: a, b, c; only there: 0, 1, 2"),
    ],
)
def test_other_classes_are_refused_with_both_lists(
    held_out: str, message: str, tmp_path: Path
) -> None:
    """Counted by themselves, c would be class 1 of the held-out pictures, and 2 in training."""
    with pytest.raises(TrainingDataError, match=re.escape(message)):
        training_data(tree(tmp_path, "a b c", held_out))


def test_a_table_of_held_out_pictures_says_their_classes_itself(tmp_path: Path) -> None:
    folder = tree(tmp_path, "a b c", "x")
    (folder / "val" / "labels.csv").write_text("file,label\nx/0.png,2\n")
    assert [picture.true_class for picture in training_data(folder).held_out] == [2]
