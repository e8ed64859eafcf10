"""Threads: the same network on one and two, timed in turns, refused where the bits differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.limited import EngineError
from bench.run import main
from bench.threads import check_same_bits, measure_threads, model_threads, threads_table
from compile.targets import host_target, parse_target
from deploy_rpc.board_spec import parse_board
from tests.needs import needs_modelled_board
from tests.small_networks import small_network


def test_two_threads_stand_beside_one() -> None:
    here = parse_board("local")
    rows = measure_threads(small_network(), "fused", host_target(), here, most=2, rounds=9)
    assert [row["threads"] for row in rows] == [1, 2]
    assert rows[0]["speedup"] == 1
    assert rows[1]["speedup"] == pytest.approx(rows[0]["median"] / rows[1]["median"])
    assert all(row["same_bits"] for row in rows)
    assert threads_table(rows).row_count == 2


def test_a_bit_that_differs_is_an_error() -> None:
    one = np.ones((1, 10), np.float32)
    check_same_bits(one, one.copy(), "two threads")
    with pytest.raises(EngineError, match="two threads does not answer as one thread does"):
        check_same_bits(one, np.nextafter(one, 2), "two threads")


@needs_modelled_board
def test_on_a_modelled_board_the_rows_have_cycles_and_say_what_is_not_in_them() -> None:
    board = parse_board("modelled:cortex-a72")
    one, two = model_threads(small_network(), "fused", parse_target("cortex-a72"), board, most=2)
    assert [one["speedup"], one["threads"], two["threads"]] == [1, 1, 2]
    assert 1.2 < two["speedup"] < 2
    for row in (one, two):
        assert (row["kind"], row["unit"], row["core"]) == ("modelled", "Mcycles", "cortex-a72")
        assert row["note"] == "longest share of each kernel, barriers not counted"
    assert threads_table([one, two]).row_count == 2


def test_a_modelled_board_is_refused_where_the_target_is_not_of_its_isa(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--board", "modelled", "--json", str(tmp_path / "r.json"))
    with pytest.raises(SystemExit, match="2"):
        main(["threads", "--target", "host", *where])
    assert "target host is not" in capsys.readouterr().err
