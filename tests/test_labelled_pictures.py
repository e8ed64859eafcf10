"""Pictures and their classes, from class folders or a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.labelled_pictures import LabelledPicture, labelled_pictures, spread
from model.labels import LabelsError


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def classes_of(folder: Path, classes: int) -> dict[str, int]:
    return {picture.name: picture.true_class for picture in labelled_pictures(folder, classes)}


def test_class_folders_count_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = touched(tmp_path, "n02/b.JPEG", "n02/notes.txt", "n01/z.png", "n01/a.jpg")
    assert classes_of(folder, 2) == {"n01/a.jpg": 0, "n01/z.png": 0, "n02/b.JPEG": 1}


def test_numbered_folders_are_the_classes_of_their_numbers(tmp_path: Path) -> None:
    assert classes_of(touched(tmp_path, "10/a.png", "9/b.png"), 11) == {
        "10/a.png": 10,
        "9/b.png": 9,
    }


def test_a_table_names_pictures_beside_it_or_in_images(tmp_path: Path) -> None:
    folder = touched(tmp_path, "a.png", "images/b.png", "n01/ignored.png")
    (folder / "labels.csv").write_text("file,label\nb.png,1\na.png,0\n")
    assert classes_of(folder, 2) == {"b.png": 1, "a.png": 0}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "found neither"),
        (("n01/a.png",), r"1 class folders, n01 to n01, the network 2 classes"),
        (("5/a.png",), r"1 class folders, 5 to 5, the network 2 classes"),
        (("n01/a.txt", "n02/b.txt"), "no picture in the class folders"),
    ],
)
def test_folders_that_are_not_the_networks_classes_are_refused(
    names: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(LabelsError, match=message):
        labelled_pictures(touched(tmp_path, *names), 2)


@pytest.mark.parametrize(
    ("rows", "message"), [("gone.png,1\n", r"names gone\.png"), ("", "names no picture")]
)
def test_a_table_of_missing_pictures_is_refused(rows: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"file,label\n{rows}")
    with pytest.raises(LabelsError, match=message):
        labelled_pictures(tmp_path, 2)


def test_some_pictures_are_taken_of_all_that_stand_by_class() -> None:
    pictures = [LabelledPicture(Path(f"{n}"), f"{n}", n // 9) for n in range(36)]
    assert [each.true_class for each in spread(pictures, 8)] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [each.true_class for each in spread(pictures, 4)] == [0, 1, 2, 3]
    assert spread(pictures, 36) == spread(pictures, 50) == spread(pictures, None) == pictures
