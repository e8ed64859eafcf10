"""Tensors come out of a file under bare names; what no training script writes is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.checkpoint_file import CheckpointError, bare_tensors, read_checkpoint_file


def test_wrappers_and_prefixes_of_training_scripts_are_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"epoch": 3, "state_dict": {"module._orig_mod.a.weight": torch.ones(2)}}, path)
    content, metadata = read_checkpoint_file(path)
    assert metadata is None
    assert bare_tensors(content, path).keys() == {"a.weight"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "holds list, expected a dict of tensors by name"),
        ({}, "holds dict, expected a dict"),
        ({"a": 3}, "entry 'a' is int, expected a tensor"),
        ({"a": torch.tensor([float("nan")])}, "tensor 'a' holds NaN or infinity"),
        ({"a": torch.ones(2).to_sparse()}, "expected a dense tensor"),
        ({"a": torch.ones(1).expand(10**6)}, "1,000,000 values, more than the file"),
    ],
)
def test_what_holds_no_plain_tensors_is_refused(
    content: object, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(bytes(100))
    with pytest.raises(CheckpointError, match=message):
        bare_tensors(content, path)
