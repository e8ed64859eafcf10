"""Every level over pictures: what is the same as PyTorch's is counted, and what differs fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from bench.pictures import PicturesError, check_rows, main, pictures_table
from bench.reports import read_report
from bench.rows import Row
from compile.verify import TOLERANCES
from model.zoo import create_model

MODEL = "shufflenet-0.25x-g3"


def test_a_level_answers_as_pytorch_on_every_picture(tmp_path: Path) -> None:
    weights, report = tmp_path / "net.pth", tmp_path / "report.json"
    torch.save(create_model(MODEL, convention="official").state_dict(), weights)
    random = np.random.default_rng(0)
    for label in (0, 7):
        folder = tmp_path / "data" / str(label)
        folder.mkdir(parents=True)
        blocks = random.integers(0, 256, (4, 5, 3), np.uint8).repeat(60, 0).repeat(60, 1)
        Image.fromarray(blocks).save(folder / "picture.png")
    words = ["--weights", str(weights), "--data", str(tmp_path / "data"), "--json", str(report)]
    main([*words, "--level", "tuned", "--board", "local"])
    (row,) = read_report(str(report)).rows
    assert (row["model"], row["level"], row["board"], row["pictures"]) == (
        MODEL, "tuned", "local", 2,
    )  # fmt: skip
    assert row["agree"] == row["same_best"] == 2
    words = "--weights net.pth --data data --json report.json --level tuned --board local"
    assert row["command"] == f"python bench/pictures.py {words}"
    assert len(row["samples"]) == 2
    assert 0 < max(row["samples"]) < TOLERANCES["float32"]


def a_row(**changes: object) -> Row:
    return {
        "model": MODEL, "level": "fused", "board": "emulated", "pictures": 200, "agree": 200,
        "same_best": 200, "samples": [1e-6, 2e-6], "top1": 0.68, "top5": 0.89, "kernels": 24,
        "recorded": 3, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"agree": 199}, "on 199 of 200 pictures"),
        ({"same_best": 198}, "on 198 of 200 pictures"),
        ({"samples": [1e-6, float("nan")]}, "logits within nan of their range"),
        ({"samples": [1e-6, 2e-3]}, r"logits within 2\.0e-03 of their range"),
    ],
)
def test_a_picture_that_differs_fails(changes: dict, said: str) -> None:
    check_rows([a_row()])
    with pytest.raises(PicturesError, match=f"fused on emulated: .*{said}"):
        check_rows([a_row(), a_row(**changes)])


def test_the_table_shows_how_many_are_the_same() -> None:
    console = Console(width=140)
    with console.capture() as shown:
        console.print(pictures_table([a_row(same_best=198)]))
    assert "200 of 200" in shown.get()
    assert "198 of 200" in shown.get()
    assert "2.0e-06" in shown.get()
    assert "3 of 24" in shown.get()
