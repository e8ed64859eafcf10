"""A row of a report holds figures that can be read back."""

from __future__ import annotations

import math

import pytest

from bench.rows import RowError, report_row
from compile.targets import host_target, parse_target
from deploy_rpc.cores import find_core


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_sample_that_is_no_number_is_refused_and_named(wrong: float) -> None:
    what = {"network": None, "engine": "mnn", "level": None, "threads": 1, "kind": "measured"}
    assert report_row("peers", host_target(), **what, unit="ms", samples=[1.0])["median"] == 1
    with pytest.raises(RowError, match=rf"peers of mnn, on host: .* numbers ms, got {wrong:g}"):
        report_row("peers", host_target(), **what, unit="ms", samples=[1.0, wrong])


def test_a_row_is_of_the_target_s_core_unless_another_is_modelled() -> None:
    what = {"network": None, "engine": "mnn", "level": None, "threads": 1, "samples": [1.0]}
    target, other = parse_target("cortex-a72"), find_core("neoverse-n1")
    measured = report_row("peers", target, **what, kind="measured", unit="ms")
    modelled = report_row("peers", target, **what, kind="modelled", unit="cycles", core=other)
    assert (measured["core"], modelled["core"]) == ("cortex-a72", "neoverse-n1")
