"""A program's modelled cycles are what its instructions cost, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy_rpc.core_models import CoreModelError
from deploy_rpc.cores import find_core
from deploy_rpc.cycles import missing_modelling_tools, modelled_cycles
from tests.marked_program import ROUNDS, marked_loop
from tests.needs import needs_cycle_model

FMLAS = [f"fmla v{i}.4s, v30.4s, v31.s[0]" for i in range(16)]


@needs_cycle_model
@pytest.mark.parametrize(("core", "cycles"), [("cortex-a72", 16), ("neoverse-n1", 8)])
def test_a_loop_of_sixteen_fmlas_costs_what_silicon_takes(
    tmp_path: Path, core: str, cycles: int
) -> None:
    report = modelled_cycles(marked_loop(tmp_path, FMLAS), [], find_core(core))
    assert report.cycles == pytest.approx(cycles * ROUNDS, rel=0.05)
    assert report.instructions == pytest.approx(18 * ROUNDS, rel=0.01)
    assert report.coverage == 1
    assert report.hottest[0].disassembly[:16] == tuple(FMLAS)
    assert report.hottest[0].cycles == pytest.approx(report.cycles, rel=0.01)


@needs_cycle_model
def test_loads_and_stores_are_instructions_whatever_their_size(tmp_path: Path) -> None:
    program = marked_loop(tmp_path, ["ldp q0, q1, [x1]", "ldrb w2, [x1]", "str q0, [x1, #-64]"])
    report = modelled_cycles(program, [], find_core("cortex-a72"))
    assert report.loads == pytest.approx(2 * ROUNDS, abs=5)
    assert report.stores == pytest.approx(ROUNDS, abs=5)


@needs_cycle_model
def test_a_second_run_gives_the_same_report(tmp_path: Path) -> None:
    program = marked_loop(tmp_path, [*FMLAS, "ldr q31, [x1]"])
    first, second = (modelled_cycles(program, [], find_core("cortex-a72")) for _ in range(2))
    assert first == second


@needs_cycle_model
def test_a_core_without_a_believable_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CoreModelError, match=r"model of cortex-a53 cannot be believed"):
        modelled_cycles(tmp_path / "never run", [], find_core("cortex-a53"))


def test_missing_tools_are_named_with_the_packages_that_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sentences = missing_modelling_tools()
    assert len(sentences) == 3
    for package in ("qemu-user", "llvm-19"):
        assert any(package in sentence for sentence in sentences)
