"""A program of another core runs to its end, or it is said why it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy_rpc.cores import Core, find_core
from deploy_rpc.emulated_program import ProgramError, missing_program_tools, run_emulated
from tests.marked_program import marked_program
from tests.needs import needs_cycle_model

A72 = find_core("cortex-a72")
WRITES = """#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) { return !fopen(words[1], "w") || getenv("PATH"); }
"""


@needs_cycle_model
def test_a_program_runs_in_its_folder_with_its_arguments_and_without_environment(
    tmp_path: Path,
) -> None:
    run_emulated(marked_program(tmp_path, WRITES), ["made"], A72)
    assert (tmp_path / "made").exists()


@needs_cycle_model
def test_a_core_that_qemu_does_not_know_is_named(tmp_path: Path) -> None:
    unknown = Core("cortex-a700", "aarch64", "cortex-a72", 128, 32, 4, 32, 2, 1024, 16)
    with pytest.raises(ProgramError, match=r"cannot emulate cortex-a700; `qemu-aarch64 -cpu help`"):
        run_emulated(tmp_path / "program", [], unknown)


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (missing,) = missing_program_tools()
    assert "apt-get install qemu-user" in missing
