"""The IR after each phase of a level is a file of its own, numbered in order."""

from __future__ import annotations

from pathlib import Path

import tvm

from compile.trail import Trail


def noted(module: tvm.IRModule) -> tvm.IRModule:
    return module.with_attr("noted", 1)


def test_each_phase_is_written_behind_its_passes(tmp_path: Path) -> None:
    trail = Trail("fused", tmp_path)
    module = trail.run("graph", tvm.IRModule(), (noted,))
    assert trail.run("scheduled", module, ()) is module
    first, second = sorted(tmp_path.iterdir())
    assert (first.name, second.name) == ("fused.0_graph.py", "fused.1_scheduled.py")
    assert "noted" in first.read_text() == second.read_text()


def test_without_a_folder_nothing_is_written() -> None:
    assert "noted" in str(Trail("fused", None).run("graph", tvm.IRModule(), (noted,)))
