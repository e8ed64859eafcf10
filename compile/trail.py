"""Phases run one after the other, with the IR of each written to a folder."""

from __future__ import annotations

from pathlib import Path

import tvm

from compile.passes import Pass


class Trail:
    """Runs the phases of a level; each leaves `FOLDER/LEVEL.N_phase.py`, if there is a folder."""

    def __init__(self, level: str, folder: Path | None) -> None:
        self._level, self._folder, self._count = level, folder, 0

    def run(self, phase: str, module: tvm.IRModule, passes: tuple[Pass, ...]) -> tvm.IRModule:
        """`module` behind `passes`, written where there is a folder."""
        for apply in passes:
            module = apply(module)
        if self._folder is not None:
            path = self._folder / f"{self._level}.{self._count}_{phase}.py"
            path.write_text(module.script(show_meta=False), encoding="utf-8")
            self._count += 1
        return module
