"""Two values of a pool become one as its kind says, and a mean divides by the taps inside."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import sym, tirx

from compile.schedules.pool import pool
from compile.schedules.pool_tiles import default_tile
from compile.schedules.pool_values import neutral, share_of_a_tap
from compile.schedules.window_workload import WindowWorkload
from tests.cores import A72, AVX512
from tests.test_pool import workload_of


def test_the_maximum_is_one_instruction_where_the_core_has_it() -> None:
    w = workload_of("max pool")
    for core, maxnum in ((A72, True), (AVX512, False)):
        text = pool(w, default_tile(w, core), 1).script()
        assert ("llvm.maximum" in text) == maxnum
        assert (" | T.reinterpret" in text) != maxnum


@pytest.mark.parametrize(
    ("kind", "dtype", "expected"),
    [("max", "float32", -np.inf), ("max", "int8", -128), ("average", "float32", 0)],
)
def test_a_pool_starts_with_what_changes_nothing(kind: str, dtype: str, expected: float) -> None:
    start = neutral(WindowWorkload(kind, 1, 1, 1, (4, 4), (3, 3), 2, (1, 1), dtype=dtype))
    assert (start.value, str(start.ty)) == (expected, dtype)


@pytest.mark.parametrize(("row", "column", "taps"), [(0, 0, 4), (0, 2, 6), (3, 3, 9)])
def test_a_mean_of_what_is_inside_divides_by_its_taps(row: int, column: int, taps: int) -> None:
    w = WindowWorkload("average_inside", 1, 1, 1, (8, 8), (3, 3), 2, (1, 1))
    places = (tirx.const(place, "int64") for place in (row, column))
    share = sym.Analyzer().simplify(share_of_a_tap(w, *places))
    assert share.value == pytest.approx(1 / taps)
