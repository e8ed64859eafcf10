"""A row of a report holds figures that can be read back."""

from __future__ import annotations

import math

import pytest

from bench.rows import RowError, report_row
from compile.targets import host_target


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_sample_that_is_no_number_is_refused_and_named(wrong: float) -> None:
    what = {"network": None, "engine": "mnn", "level": None, "threads": 1, "kind": "measured"}
    assert report_row("peers", host_target(), **what, unit="ms", samples=[1.0])["median"] == 1
    with pytest.raises(RowError, match=rf"peers of mnn, on host: .* numbers ms, got {wrong:g}"):
        report_row("peers", host_target(), **what, unit="ms", samples=[1.0, wrong])
