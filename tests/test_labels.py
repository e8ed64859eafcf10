"""Class names and true classes are read as written, or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.labels import LabelsError, read_class_names, read_true_classes


def written(content: str | bytes, folder: Path) -> Path:
    path = folder / "labels"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    ["tench\nMünsterländer\n", "tench\nMünsterländer", "tench\r\nMünsterländer\r\n"],
    ids=["lines", "no last newline", "Windows lines"],
)
def test_line_i_is_the_name_of_class_i(content: str, tmp_path: Path) -> None:
    assert read_class_names(written(content, tmp_path), 2) == ["tench", "Münsterländer"]


@pytest.mark.parametrize(
    ("content", "lines"), [("", 0), ("a\n", 1), ("a\nb\nc\n", 3), ("a\nb\n\n", 3)]
)
def test_another_count_of_names_is_refused(content: str, lines: int, tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=f"has {lines} lines, the network 2 classes"):
        read_class_names(written(content, tmp_path), 2)


def test_the_columns_may_come_in_any_order_and_beside_others(tmp_path: Path) -> None:
    path = written('name,label,file\n"tench, fish", 3 ,a.jpg\nray,0,"b,c.jpg"\n', tmp_path)
    assert read_true_classes(path, 4) == {"a.jpg": 3, "b,c.jpg": 0}


@pytest.mark.parametrize(
    "content",
    ["file,name\na.jpg,x\n", "file,label\na.jpg\n", "file,label\na.jpg,1.5\n", b"\xff\xfe\x00"],
    ids=["no label column", "a short row", "no whole number", "no text"],
)
def test_true_classes_that_cannot_be_read_say_what_is_expected(
    content: str | bytes, tmp_path: Path
) -> None:
    with pytest.raises(LabelsError, match="expected a CSV with the columns file,label"):
        read_true_classes(written(content, tmp_path), 10)


@pytest.mark.parametrize("label", [-1, 10, 1000])
def test_a_class_that_the_network_does_not_have_is_refused(label: int, tmp_path: Path) -> None:
    path = written(f"file,label\na.jpg,9\nb.jpg,{label}\n", tmp_path)
    with pytest.raises(LabelsError, match=f"label {label} is none of the network's 10 classes"):
        read_true_classes(path, 10)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"class names .*No such file"):
        read_class_names(tmp_path / "none.txt", 2)
    with pytest.raises(LabelsError, match=r"true classes .*No such file"):
        read_true_classes(tmp_path / "none.csv", 2)
    with pytest.raises(LabelsError, match="cannot read class names"):
        read_class_names(written(b"\xff\xfe\x00", tmp_path), 2)


def test_the_sample_names_each_of_its_pictures_once(test_data: Path) -> None:
    sample = test_data / "imagenet_sample"
    truth = read_true_classes(sample / "labels.csv", 1000)
    assert truth.keys() == {path.name for path in (sample / "images").iterdir()}
    assert len(truth) == 200
    assert len(read_class_names(test_data / "imagenet_classes.txt", 1000)) == 1000


def test_a_byte_order_mark_is_no_part_of_a_name_or_column(tmp_path: Path) -> None:
    path = tmp_path / "bom.txt"
    path.write_text("cat\ndog\n", encoding="utf-8-sig")
    assert read_class_names(path, 2) == ["cat", "dog"]
    path.write_text("file,label\nx.jpg,1\n", encoding="utf-8-sig")
    assert read_true_classes(path, 2) == {"x.jpg": 1}
