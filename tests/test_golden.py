"""The TIR of every template is kept, so that a change of a schedule shows as a difference to read.

`python -m pytest tests/test_golden.py --update-golden` writes the files anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.schedules.pointwise import PointwiseWorkload
from compile.schedules.templates import Workload, made_by_default
from compile.schedules.window import WindowWorkload
from tests.cores import A72, AVX512

GOLDEN = Path(__file__).parent / "golden"

KERNELS = {
    "pointwise_planes": (A72, PointwiseWorkload(3, 20, 8, 48, True, False, shuffle_rows=3)),
    "pointwise_planes_overlap": (AVX512, PointwiseWorkload(2, 10, 4, 49, True, True, load_rows=2)),
    "pointwise_channels": (AVX512, PointwiseWorkload(3, 40, 8, 49, True, False, layout="channels")),
    "pointwise_in_place": (
        AVX512,
        PointwiseWorkload(1, 32, 8, 48, True, True, layout="channels", in_place=True),
    ),
    "window_stem": (A72, WindowWorkload("conv", 1, 24, 3, (33, 33), (3, 3), 2, (1, 1), True)),
    "window_depthwise": (A72, WindowWorkload("conv", 12, 1, 1, (14, 14), (3, 3), 1, (1, 1))),
    "window_max": (A72, WindowWorkload("max", 6, 1, 1, (16, 16), (3, 3), 2, (1, 1))),
    "window_average_joined": (
        AVX512,
        WindowWorkload(
            "average",
            6,
            1,
            1,
            (28, 28),
            (3, 3),
            2,
            (1, 1),
            writes_channels=True,
            first_channel=2,
            stored_channels=10,
        ),
    ),
    "window_channels_depthwise": (
        AVX512,
        WindowWorkload("conv", 40, 1, 1, (14, 14), (3, 3), 1, (1, 1), layout="channels"),
    ),
    "window_channels_conv": (
        AVX512,
        WindowWorkload("conv", 2, 32, 8, (13, 13), (5, 5), 1, (2, 2), True, layout="channels"),
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_schedule_is_what_it_was(name: str, request: pytest.FixtureRequest) -> None:
    core, workload = KERNELS[name]
    text = _tir(workload, core)
    path = GOLDEN / f"{name}.py.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; write it with --update-golden"
    assert text == path.read_text(encoding="utf-8"), "read the difference, then --update-golden"


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.py.txt" for name in KERNELS}


def _tir(workload: Workload, core: object) -> str:
    return made_by_default(workload, core, threads=1).kernel().script() + "\n"
