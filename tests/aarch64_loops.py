"""The hot loop of a kernel, read off the AArch64 assembly that LLVM made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tvm
from tvm import tirx

from compile.aot.compute import compile_module, exported
from compile.aot.kernels import as_c_kernel
from compile.targets import CompileTarget

LABEL = re.compile(r"^(\.LBB\w+):")
BRANCH = re.compile(r"^\s+(?:b\.\w+|cbn?z\s+\w+,|tbn?z\s+\w+,\s*#\d+,|b)\s+(\.LBB\w+)")
MULTIPLY = ("fmul", "fmadd", "fmsub")
LOADED = {"ldp": 2}  # what else begins with ld loads one register


@dataclass(frozen=True)
class Loop:
    """The instructions of a loop, without those of loops inside."""

    instructions: tuple[str, ...]

    def count(self, *mnemonics: str) -> int:
        """How many instructions are one of `mnemonics`."""
        return sum(self._mnemonic(line) in mnemonics for line in self.instructions)

    def count_with(self, mnemonic: str, operands: str) -> int:
        """How many instructions are `mnemonic` with `operands` in their text."""
        return sum(
            self._mnemonic(line) == mnemonic and operands in line for line in self.instructions
        )

    @property
    def conversions(self) -> int:
        """Instructions that change a number format."""
        return sum(self._mnemonic(line).startswith("fcvt") for line in self.instructions)

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


def hot_loop(function: tirx.PrimFunc, target: CompileTarget, multiply_add: str = "fmla") -> Loop:
    """The loop with the most multiply-adds in what `target` makes of `function`.

    They are instructions called `multiply_add`. Loops around one with multiply-adds do not count:
    peeled steps stand in them.
    """
    kernel = exported(as_c_kernel(function).function, "kernel")
    module = compile_module(tvm.IRModule({"kernel": kernel}), target.tvm)
    lines = module.inspect_source("asm").splitlines()
    return max(_loops(lines, multiply_add), key=lambda loop: loop.count(multiply_add))


def _loops(lines: list[str], multiply_add: str) -> list[Loop]:
    labels: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for index, line in enumerate(lines):
        if label := LABEL.match(line):
            labels[label[1]] = index
        if (branch := BRANCH.match(line)) and branch[1] in labels:
            spans.append((labels[branch[1]] + 1, index + 1))
    found = {span: Loop(tuple(_own_instructions(lines, span, spans))) for span in spans}
    working = [span for span, loop in found.items() if loop.count(multiply_add)]
    return [found[span] for span in working if not any(_holds(span, o) for o in working)]


def _holds(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return other != span and span[0] <= other[0] and other[1] <= span[1]


def _own_instructions(
    lines: list[str], span: tuple[int, int], spans: list[tuple[int, int]]
) -> Iterator[str]:
    """What lies in `span`, but in no loop inside it."""
    first, end = span
    inside = [other for other in spans if _holds(span, other)]
    for index in range(first, end):
        in_one = any(start <= index < stop for start, stop in inside)
        if not in_one and re.match(r"\t[a-z]", lines[index]):
            yield lines[index].strip()
