"""A board under QEMU has the core that its code is for, unless another is named."""

from __future__ import annotations

import pytest

from deploy_rpc import emulated_board
from deploy_rpc.board_spec import parse_board
from deploy_rpc.emulated_board import board_for, emulated_core

KNOWN = ("cortex-a53", "cortex-a72", "cortex-a76", "neoverse-n1")


@pytest.mark.parametrize(
    ("board", "core", "expected"),
    [
        pytest.param("emulated", "neoverse-n1", "emulated:neoverse-n1", id="that of the library"),
        pytest.param("emulated:cortex-a53", "neoverse-n1", "emulated:cortex-a53", id="the named"),
        pytest.param("emulated", "cortex-a78", "emulated:cortex-a76", id="one with float16"),
        pytest.param("emulated", "cortex-a73", "emulated", id="any will do"),
        pytest.param("emulated", "host", "emulated", id="none of the table"),
        pytest.param("modelled", "cortex-a78", "modelled:cortex-a78", id="no other costs the same"),
        pytest.param("local", "neoverse-n1", "local", id="not under QEMU"),
    ],
)
def test_the_core_of_a_board_for_a_library(
    board: str, core: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulated_board, "emulated_cores", lambda: KNOWN)
    assert board_for(parse_board(board), core) == parse_board(expected)


def test_without_a_name_and_a_library_it_is_an_a72() -> None:
    assert emulated_core(parse_board("emulated")).name == "cortex-a72"
    assert emulated_core(parse_board("emulated:cortex-a53")).name == "cortex-a53"
