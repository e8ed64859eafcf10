"""A build is verified here, on a core that is modelled or emulated, or the output says why not."""

from __future__ import annotations

import pytest

from compile import default_board, targets
from compile.targets import parse_target, with_abi
from compile.tune_checks import LEVEL_TARGET
from deploy_rpc.core_models import CoreModelError
from deploy_rpc.cores import Core


def chosen(target: str, threads: int = 1, level: str = "fused") -> str:
    board, reason = default_board.default_board(parse_target(target), threads, level)
    assert (board is None) == bool(reason)
    return reason or str(board)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that emulation needs is here."""
    for name in ("missing_emulation_tools", "missing_modelled_board_tools"):
        monkeypatch.setattr(default_board, name, lambda: [])
    monkeypatch.setattr(default_board, "board_bundle", lambda: None)
    monkeypatch.setattr(default_board, "emulated_cores", lambda: ("cortex-a72",))
    monkeypatch.setattr(default_board, "llvm_model", lambda core: None)


def test_code_of_this_machine_is_verified_here() -> None:
    assert chosen("host") == "local"


@pytest.mark.parametrize(
    ("here", "expected"),
    [("haswell", "local"), ("ivybridge", "there is no emulated board for x86_64")],
)
def test_code_of_the_avx2_level_is_verified_here_if_it_runs(
    here: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = f'{{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "{here}"}}'
    monkeypatch.setattr(targets, "host_target", lambda: parse_target(machine))
    assert chosen(LEVEL_TARGET) == expected


@pytest.mark.usefixtures("tools")
def test_one_thread_of_a_known_core_is_modelled_all_else_emulated() -> None:
    assert chosen("arm_cpu") == "modelled:cortex-a72"
    assert chosen("arm_cpu", threads=2).startswith("emulated")
    assert chosen("arm_cpu", level="stock").startswith("emulated")


@pytest.mark.usefixtures("tools")
def test_a_core_that_llvm_has_no_model_of_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(core: Core) -> None:
        raise CoreModelError(f"no model of {core.name}")

    monkeypatch.setattr(default_board, "llvm_model", refuse)
    assert chosen("arm_cpu").startswith("emulated")


def test_without_a_board_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_board, "missing_emulation_tools", lambda: ["qemu is not here"])
    assert chosen("arm_cpu") == "qemu is not here"
    assert chosen("rpi2") == "there is no emulated board for arm"
    musl = with_abi(parse_target("arm_cpu"), "musl")
    _, reason = default_board.default_board(musl, 1, "fused")
    assert reason == "the emulated board's system is of glibc, not musl"
