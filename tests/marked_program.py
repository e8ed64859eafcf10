"""Small static ARM programs with a marked region, for tests of the cycle model."""

from __future__ import annotations

from pathlib import Path

from deploy_rpc.compiled_once import zig

ROUNDS = 1000
LOOP = """
int main(void) {{
    long rounds = {rounds};
    __asm__ volatile("hint #0x70\\n"
                     "mov x1, sp\\n"
                     "1: {body}\\n"
                     "subs %0, %0, #1\\n"
                     "b.ne 1b\\n"
                     "hint #0x71" : "+r"(rounds) :: "x1", "memory", "cc");
    return 0;
}}
"""


def marked_loop(folder: Path, instructions: list[str]) -> Path:
    """A program whose region runs `instructions` `ROUNDS` times; x1 is the stack's address."""
    return marked_program(folder, LOOP.format(rounds=ROUNDS, body="\\n".join(instructions)))


def marked_program(folder: Path, source: str) -> Path:
    """`source` in C as a program."""
    file, program = folder / "program.c", folder / "program"
    file.write_text(source, encoding="ascii")
    zig(["-target", "aarch64-linux-musl", "-static", str(file), "-o", str(program)])
    return program
