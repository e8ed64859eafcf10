"""The hot loop of a kernel, read off the AArch64 assembly that LLVM made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import tvm
from tvm import tirx

from compile.targets import CompileTarget

LABEL = re.compile(r"^(\.LBB\w+):")
BRANCH = re.compile(r"^\s+(?:b\.\w+|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#\d+,|b)\s+(\.LBB\w+)")
MULTIPLY = ("fmul", "fmadd", "fmsub")
LOADED = {"ldp": 2}  # what else begins with ld loads one register


@dataclass(frozen=True)
class Loop:
    """The instructions of a loop without loops inside."""

    instructions: tuple[str, ...]

    def count(self, *mnemonics: str) -> int:
        """How many instructions are one of `mnemonics`."""
        return sum(self._mnemonic(line) in mnemonics for line in self.instructions)

    @property
    def fmlas(self) -> int:
        """Vector multiply-adds."""
        return self.count("fmla")

    @property
    def loads(self) -> int:
        """Load instructions, pairs counted once."""
        return sum(self._mnemonic(line).startswith("ld") for line in self.instructions)

    @property
    def spills(self) -> int:
        """Instructions that store to the stack or load from it."""
        return sum("[sp" in line for line in self.instructions)

    @property
    def multiplications_apart(self) -> int:
        """Multiplications that no addition is fused with, and scalar ones."""
        return self.count(*MULTIPLY)

    @staticmethod
    def _mnemonic(line: str) -> str:
        return line.split()[0]


def hot_loop(function: tirx.PrimFunc, target: CompileTarget) -> Loop:
    """The innermost loop with the most multiply-adds in what `target` makes of `function`."""
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    lines = tvm.compile(module, target=target.tvm).mod.inspect_source("asm").splitlines()
    return max(_loops(lines), key=lambda loop: loop.fmlas)


def _loops(lines: list[str]) -> list[Loop]:
    labels: dict[str, int] = {}
    loops = []
    for index, line in enumerate(lines):
        if label := LABEL.match(line):
            labels[label[1]] = index
        if (branch := BRANCH.match(line)) and branch[1] in labels:
            body = lines[labels[branch[1]] + 1 : index + 1]
            if not any(LABEL.match(inner) for inner in body):
                loops.append(Loop(tuple(s.strip() for s in body if re.match(r"\t[a-z]", s))))
    return loops
