"""A number format is offered where target and board compute in it, else the reason is."""

from __future__ import annotations

import pytest

import bench.offered_dtypes
from bench.offered_dtypes import offered_dtypes
from compile.targets import parse_target
from deploy_rpc.board_spec import parse_board


def test_a_number_format_that_a_core_lacks_is_named() -> None:
    offered, missing = offered_dtypes(parse_target("cortex-a72"), parse_board("local"))
    assert "float32" in offered
    assert missing["float16"].startswith("cortex-a72 has no float16 arithmetic")


def test_int8_is_offered_without_dot_products_too() -> None:
    board = parse_board("emulated:cortex-a72")
    offered, _ = offered_dtypes(parse_target("cortex-a72"), board)
    assert list(offered) == ["float32", "int8"]


@pytest.mark.parametrize("board", ["emulated:cortex-a72", "local"])
def test_dot_products_need_a_board_that_has_them(
    board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.offered_dtypes, "machine_isa", lambda: "x86_64")
    offered, missing = offered_dtypes(parse_target("neoverse-n1"), parse_board(board))
    assert "int8" not in offered
    assert f"dot products (FEAT_DotProd), which {board} has not" in missing["int8"]


def test_an_emulated_core_without_it_cannot_stand_for_one_with_it() -> None:
    board = parse_board("emulated:cortex-a72")
    offered, missing = offered_dtypes(parse_target("neoverse-n1"), board)
    assert "float16" not in offered
    assert missing["float16"].startswith("emulated:cortex-a72 has no float16 arithmetic")
