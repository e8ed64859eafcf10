"""One kernel as a program that the cycle model can run: static, no sysroot needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy_rpc.compiled_once import compiled_once, zig
from deploy_rpc.isa import Isa

HARNESS_SOURCE = Path(__file__).parent / "cycle_model" / "kernel_harness.c"
MAX_BUFFERS = 8  # as in the harness


def link_kernel_program(kernel: Sequence[Path], program: Path, isa: Isa) -> None:
    """Links the object files `kernel` of `isa` with the harness.

    They define `int32_t kernel(float *, ...)` over at most `MAX_BUFFERS` buffers. The
    program's arguments are the number of values in each; it fills them, calls the kernel once to
    warm up and once between the markers. With `answer FILE` before them it calls the kernel once
    instead, with the values of that file, which then holds the buffers; with `time NS` it prints
    the nanoseconds of one call, of the fastest batch within NS. Raises `CompileError`.
    """
    words = ("-target", isa.zig_target, "-std=c11", "-c")
    harness = compiled_once(HARNESS_SOURCE, words, ".o")
    fixed = ("-static", "-no-pie")  # addresses, and with them cache misses, stay the same
    zig(["-target", isa.zig_target, *fixed, str(harness), *map(str, kernel), "-o", str(program)])
