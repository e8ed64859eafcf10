"""One kernel as a program that the cycle model can run: static, aarch64, no sysroot needed."""

from __future__ import annotations

from pathlib import Path

from deploy_rpc.compiled_once import compiled_once, zig

HARNESS_SOURCE = Path(__file__).parent / "cycle_model" / "kernel_harness.c"
ZIG_TARGET = "aarch64-linux-musl"
MAX_BUFFERS = 8  # as in the harness


def link_kernel_program(kernel: Path, program: Path) -> None:
    """Links the object file `kernel` with the harness.

    The object defines `int32_t kernel(float *, ...)` over at most `MAX_BUFFERS` buffers. The
    program's arguments are the number of values in each; it fills them, calls the kernel once to
    warm up and once between the markers. Raises `CompileError`.
    """
    words = ("-target", ZIG_TARGET, "-std=c11", "-O2", "-c")
    harness = compiled_once(HARNESS_SOURCE, words, ".o")
    fixed = ("-static", "-no-pie", "-s")  # addresses, and with them cache misses, stay the same
    zig(["-target", ZIG_TARGET, *fixed, str(harness), str(kernel), "-o", str(program)])
