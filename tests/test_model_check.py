"""The model check ranks as it says, and its chain runs from a schedule to a row and a picture."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.model_check import (
    ModelCheckError,
    Pair,
    check_machine,
    check_model,
    model_check_rows,
    pick_slowdown,
    rank_correlation,
    relative_error,
)
from bench.model_check_cases import SCHEDULES, Schedule, check_cases, template_case
from bench.model_check_report import WITH_GOAL, draw_model_check, model_check_table
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.targets import host_target
from deploy_rpc.block_counts import Block, _basic_blocks
from deploy_rpc.isa import X86_64
from model.errors import InputError
from tests.report_rows import check_row

POOLS = 18  # all that there are
SMALL = PointwiseWorkload(1, 8, 16, 64, relu=True, shortcut=False)


def why_not_here() -> str:
    try:
        check_machine()
    except InputError as error:
        return str(error)
    return ""


needs_x86_model = pytest.mark.skipif(bool(why_not_here()), reason=why_not_here() or "all there")


def test_the_correlation_is_of_ranks_alone() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)


def test_the_pick_is_compared_with_the_fastest() -> None:
    assert pick_slowdown([5, 3, 4], [9.0, 6.0, 5.0]) == pytest.approx(1.2)
    assert pick_slowdown([5, 3, 4], [9.0, 5.0, 6.0]) == 1


def test_the_error_is_the_median_after_one_factor() -> None:
    assert relative_error([2, 4, 6], [1.0, 2.0, 4.0], ns_per_cycle=0.5) == 0
    assert relative_error([2, 4], [2.0, 4.0], ns_per_cycle=0.5) == pytest.approx(0.5)


def test_every_kernel_has_many_different_schedules() -> None:
    cases = check_cases()
    assert [case.name for case in cases] == [
        *WITH_GOAL,
        *("depthwise 3x3, channels", "max pool", "classifier"),
        *(f"{name}, MetaSchedule" for name in WITH_GOAL[:2]),
    ]
    drawn = [[str(each.decisions) for each in case.schedules] for case in cases]
    counts = dict.fromkeys((case.name for case in cases), SCHEDULES) | {"max pool": POOLS}
    assert [len(set(of_case)) for of_case in drawn] == list(counts.values())
    assert SCHEDULES >= 32
    assert drawn == [[str(each.decisions) for each in case.schedules] for case in check_cases()]


def pairs(schedules: Sequence[Schedule]) -> list[Pair]:
    return [
        Pair(each.decisions, 100.0 * n, 1.0, (60.0 * n, 50.0 * n))
        for n, each in enumerate(schedules, 1)
    ]


def test_a_report_row_holds_every_pair(tmp_path: Path) -> None:
    """The factor from cycles to nanoseconds is one for all kernels."""
    tiles = tuple(PointwiseTile(rows, 1, 8, 1, True) for rows in (1, 2, 3))
    cases = [template_case(name, SMALL, tiles) for name in ("first", "second")]
    rows = model_check_rows([(case, pairs(case.schedules)) for case in cases], host_target())
    for row in rows:
        assert (row["correlation"], row["pick_slowdown"]) == (pytest.approx(1), 1)
        assert (row["ns_per_cycle"], row["relative_error"]) == (0.5, 0)
        assert [each["measured_ns"] for each in row["schedules"]] == [50, 100, 150]
        assert row["schedules"][0]["decisions"] == dataclasses.asdict(tiles[0])
    assert model_check_table(rows).row_count == 2


def test_without_matplotlib_there_is_a_message_and_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not draw_model_check([], tmp_path / "check.png")
    assert "check.png: matplotlib is not installed (pip install '.[plots]')" in (
        capsys.readouterr().out
    )
    assert not list(tmp_path.iterdir())


def test_every_row_has_a_plot_with_its_schedules(tmp_path: Path) -> None:
    rows = [check_row() | {"llvm_model": "znver3"} for _ in range(5)]
    assert draw_model_check(rows, tmp_path / "check.png")
    pixels = np.asarray(Image.open(tmp_path / "check.png").convert("RGB")).astype(int)
    blue = pixels[..., 2] - pixels[..., 0] > 100  # the dots
    plots = [part for line in np.array_split(blue, 2) for part in np.array_split(line, 4, axis=1)]
    assert [bool(part.any()) for part in plots] == [True] * 5 + [False] * 3


@needs_x86_model
def test_a_few_schedules_are_modelled_and_measured(tmp_path: Path) -> None:
    tiles = tuple(PointwiseTile(rows, vectors, 8, 1, True) for rows, vectors in ((1, 1), (4, 2)))
    (row,) = check_model([template_case("pointwise", SMALL, tiles)], rounds=2)
    slow, fast = row["schedules"]
    assert slow["modelled_cycles"] > fast["modelled_cycles"] > SMALL.macs / 16
    assert slow["measured_ns"] > fast["measured_ns"] > 0
    assert (slow["coverage"], len(slow["samples_ns"])) == (1, 2)
    assert row["correlation"] == pytest.approx(1)


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelCheckError, match=r"qemu-x86_64 is not on the PATH .*llvm-mca-19 is"):
        check_model([])


def test_the_first_bytes_of_an_instruction_across_pages_do_not_count() -> None:
    """QEMU hands them over with the block before, which did not run them."""
    add, load = bytes.fromhex("4883c001"), bytes.fromhex("c4e27d184008")
    before, behind = Block(0xFF8, 3, (add, load[:1])), Block(0xFFC, 3, (load,))
    assert list(_basic_blocks([before, behind], X86_64)) == [Block(0xFF8, 3, (add, load))]


@pytest.mark.parametrize(
    ("code", "jumps"),
    [
        ("75fc", True),  # jne
        ("0f8580000000", True),  # jne, far
        ("e900000000", True),  # jmp
        ("c3", True),  # ret
        ("f3c3", True),  # rep ret
        ("41ffe0", True),  # jmp *%r8
        ("41ff5008", True),  # call *8(%r8)
        ("48ffc0", False),  # inc %rax
        ("4883c001", False),  # add $1, %rax
        ("c4e27d184008", False),  # vbroadcastss
        ("0f1f8070544653", False),  # a marker
    ],
)
def test_x86_jumps_end_a_block(code: str, jumps: bool) -> None:
    assert X86_64.jumps(bytes.fromhex(code)) == jumps
