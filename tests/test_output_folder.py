"""A folder that cannot be written to is known before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.output_folder import OutputFolderError, make_output_folder


def test_a_folder_is_made_with_those_above_it_and_left_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_output_folder(folder)
    make_output_folder(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_what_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputFolderError, match=r"cannot write to the folder .*name one that you"):
        make_output_folder(tmp_path / name)


def test_a_folder_that_takes_no_files_is_refused() -> None:
    """Not by its permissions: to root they mean nothing."""
    with pytest.raises(OutputFolderError, match="cannot write to the folder /proc/self"):
        make_output_folder(Path("/proc/self"))
