"""The TIR of every template is kept, so that a change of a schedule shows as a difference to read.

`python -m pytest tests/test_golden.py --update-golden` writes the files anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.lrn import LrnWorkload
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.templates import Workload, made_by_default
from compile.schedules.window_workload import WindowWorkload
from tests.cores import A72, AVX2, AVX512

GOLDEN = Path(__file__).parent / "golden"

GROUPED = PointwiseWorkload(3, 40, 8, 49, True, False)
AVERAGE = WindowWorkload("average", 6, 1, 1, (28, 28), (3, 3), 2, (1, 1))
STEM = WindowWorkload("conv", 1, 24, 3, (33, 33), (3, 3), 2, (1, 1), True)
DEPTHWISE = WindowWorkload("conv", 40, 1, 1, (14, 14), (3, 3), 1, (1, 1))
CONV_5X5 = WindowWorkload("conv", 2, 32, 8, (13, 13), (5, 5), 1, (2, 2), True)

KERNELS = {
    "pointwise_shuffled": (A72, replace(GROUPED, outputs=20, pixels=48, shuffle_rows=3)),
    "pointwise_peeled": (A72, replace(GROUPED, inputs=20, pixels=196)),
    "pointwise_tail": (A72, replace(GROUPED, inputs=24)),
    "pointwise_overlapped": (AVX512, replace(GROUPED, shortcut=True, load_rows=2)),
    "pointwise_channels": (AVX512, replace(GROUPED, layout="channels")),
    "pointwise_in_place": (
        AVX512,
        replace(GROUPED, outputs=32, pixels=48, shortcut=True, in_place=True, layout="channels"),
    ),
    "pointwise_floor": (
        A72,
        replace(
            GROUPED, pixels=48, relu=False, shortcut=True, in_place=True, bias=False, floor=True
        ),
    ),
    "window_stem": (A72, STEM),
    "window_depthwise": (A72, replace(DEPTHWISE, size=(15, 15), stride=2)),
    "depthwise_rows": (A72, replace(DEPTHWISE, bias=False)),
    "depthwise_rows_halved": (A72, replace(DEPTHWISE, stride=2, relu=True)),
    "window_channels_depthwise": (AVX512, replace(DEPTHWISE, layout="channels")),
    "window_channels_conv": (AVX512, replace(CONV_5X5, layout="channels")),
    "window_channels_average": (
        AVX512,
        replace(AVERAGE, groups=480, size=(14, 14), layout="channels"),
    ),
    "stem_pool": (A72, StemPoolWorkload(8, 3, (32, 32))),
    "pointwise_k_lanes": (AVX512, PointwiseWorkload(3, 20, 80, 52, True, False, layout="channels")),
    "stem_pool_channels": (AVX2, StemPoolWorkload(8, 3, (32, 32), layout="channels")),
    "stem_pool_winograd": (AVX512, StemPoolWorkload(4, 3, (32, 32), winograd=True)),
    "pool_max": (A72, replace(AVERAGE, kind="max")),
    "pool_average_joined": (
        AVX512,
        replace(AVERAGE, writes_channels=True, first_channel=2, stored_channels=10),
    ),
    "dense": (A72, DenseWorkload(40, 24, True)),
    "head_channels": (AVX512, DenseWorkload(40, 24, False, 49, "channels")),
    "head_words": (AVX512, DenseWorkload(70, 32, True, 49, "channels", weight_bits=24)),
    "lrn": (A72, LrnWorkload(16, 49, 2, 2, 1e-4, 2.0)),
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
