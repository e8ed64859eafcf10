"""Instructions of both sets are read: registers by one name, addresses with what they touch."""

from __future__ import annotations

import pytest

from deploy_rpc.operands import Operation, aarch64_operation, x86_operation
from tests.llvm_operands import read_and_written
from tests.needs import needs_cycle_model

OF_AARCH64 = {
    "ldr q3, [sp, #32]": ("", "v3", "load 16 at sp +32 of sp"),
    "str w3, [x29, #-4]": ("x3", "", "store 4 at x29 -4 of x29"),
    "ldp q0, q1, [x8]": ("", "v0 v1", "load 32 at x8 +0 of x8"),
    "stp d8, d9, [sp, #-64]!": ("v8 v9", "sp", "store 16 at sp -64 of sp"),
    "ldr s1, [x9], #4": ("", "v1 x9", "load 4 at x9 +0 of x9"),
    "fmla v0.4s, v1.4s, v2.s[3]": ("v0 v1 v2", "v0", ""),
    "fadd v0.4s, v1.4s, v2.4s": ("v1 v2", "v0", ""),
    "mov v0.s[1], w3": ("v0 x3", "v0", ""),
    "subs x9, x9, #4": ("x9", "x9", ""),
    "cmp x1, #3": ("x1", "", ""),
    "cbnz x1, #-24": ("x1", "", ""),
    "prfm pldl1keep, [x4]": ("x4", "", ""),
    "b.ne #-24": ("", "", ""),
    "bsl v0.16b, v1.16b, v2.16b": ("v0 v1 v2", "v0", ""),
    "bif v0.16b, v1.16b, v2.16b": ("v0 v1 v2", "v0", ""),
    "bic v0.16b, v1.16b, v2.16b": ("v1 v2", "v0", ""),
    "bfi x0, x1, #4, #8": ("x0 x1", "x0", ""),
    "tbl v0.16b, { v1.16b }, v2.16b": ("v1 v2", "v0", ""),
    "tbx v0.16b, { v1.16b }, v2.16b": ("v0 v1 v2", "v0", ""),
    "ldrb w1, [x0]": ("", "x1", "load 1 at x0 +0 of x0"),
    "strh w1, [x0, #2]": ("x1", "", "store 2 at x0 +2 of x0"),
    "ldrsb x1, [x0]": ("", "x1", "load 1 at x0 +0 of x0"),
    "ldursw x1, [x0, #-4]": ("", "x1", "load 4 at x0 -4 of x0"),
    "ldpsw x1, x2, [x0]": ("", "x1 x2", "load 8 at x0 +0 of x0"),
    "ld1r { v1.4s }, [x0]": ("", "v1", "load 4 at x0 +0 of x0"),
    "ld1 { v1.s }[1], [x0]": ("v1", "v1", "load 4 at x0 +0 of x0"),
    "st1 { v1.h }[3], [x0]": ("v1", "", "store 2 at x0 +0 of x0"),
    "ld1 { v1.8h, v2.8h }, [x0], #32": ("", "v1 v2 x0", "load 32 at x0 +0 of x0"),
    "ld2 { v1.2s, v2.2s }, [x0]": ("", "v1 v2", "load 16 at x0 +0 of x0"),
    "sdot v0.4s, v1.16b, v2.4b[1]": ("v0 v1 v2", "v0", ""),
    "smlal2 v0.4s, v1.8h, v2.8h": ("v0 v1 v2", "v0", ""),
    "sqrdmlah v0.4s, v1.4s, v2.4s": ("v0 v1 v2", "v0", ""),
    "smull v0.4s, v1.4h, v2.4h": ("v1 v2", "v0", ""),
    "sabal v0.4s, v1.4h, v2.4h": ("v0 v1 v2", "v0", ""),
    "sadalp v0.4s, v1.8h": ("v0 v1", "v0", ""),
    "ssra v0.4s, v1.4s, #3": ("v0 v1", "v0", ""),
    "sli v0.4s, v1.4s, #3": ("v0 v1", "v0", ""),
    "sqxtn v0.4h, v1.4s": ("v1", "v0", ""),
    "sqxtn2 v0.8h, v1.4s": ("v0 v1", "v0", ""),
    "sqrshrun2 v0.16b, v1.8h, #2": ("v0 v1", "v0", ""),
    "orr v0.4s, #63, lsl #24": ("v0", "v0", ""),
    "orr v0.16b, v1.16b, v2.16b": ("v1 v2", "v0", ""),
    "movk x0, #1, lsl #16": ("x0", "x0", ""),
    "bl #-24": ("", "", ""),
    "tbz w3, #2, #-24": ("x3", "", ""),
    "fcmp s0, s1": ("v0 v1", "", ""),
    "cmeq v0.4s, v1.4s, v2.4s": ("v1 v2", "v0", ""),
    "bit v0.16b, v1.16b, v2.16b": ("v0 v1 v2", "v0", ""),
    "bfxil w0, w1, #8, #8": ("x0 x1", "x0", ""),
    "strb wzr, [x1]": ("", "", "store 1 at x1 +0 of x1"),
    "stp xzr, xzr, [x1, #16]": ("", "", "store 16 at x1 +16 of x1"),
    "ld1 { v0.8b }, [x0], x6": ("", "v0 x0", "load 8 at x0 +0 of x0 x6"),
    "trn2 v0.4s, v1.4s, v2.4s": ("v1 v2", "v0", ""),
    "fcvtn2 v0.8h, v1.4s": ("v0 v1", "v0", ""),
    "fmov x0, v1.d[1]": ("v1", "x0", ""),
    "aese v0.16b, v1.16b": ("v0 v1", "v0", ""),
    "aesmc v0.16b, v1.16b": ("v1", "v0", ""),
    "sha1su1 v0.4s, v1.4s": ("v0 v1", "v0", ""),
    "sha1h s0, s1": ("v1", "v0", ""),
    "sha256h2 q0, q1, v2.4s": ("v0 v1 v2", "v0", ""),
}
REGISTERS = frozenset(f"{kind}{number}" for kind in "xv" for number in range(10))  # not sp


def in_words(operation: Operation) -> tuple[str, str, str]:
    """Registers read and written, and the bytes touched."""
    access = operation.access
    touched = ""
    if access:
        kind = "store" if access.stores else "load"
        of = " ".join(sorted(access.registers))
        touched = f"{kind} {access.size} at {access.base} {access.offset:+d} of {of}"
    return " ".join(sorted(operation.reads)), " ".join(sorted(operation.writes)), touched


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vmovups 32(%rsp), %ymm3", ("", "v3", "load 32 at %rsp +32 of sp")),
        ("vmovups %xmm3, -8(%rbp,%rax,4)", ("v3", "", "store 16 at %rbp,%rax,4 -8 of a bp")),
        ("vmovups %ymm1, 0x40(%r13)", ("v1", "", "store 32 at %r13 +64 of r13")),
        ("vbroadcastss (%r14,%r12), %ymm3", ("", "v3", "load 4 at %r14,%r12 +0 of r12 r14")),
        ("vfmadd231ps (%rdi), %ymm1, %ymm2", ("v1 v2", "v2", "load 32 at %rdi +0 of di")),
        ("vaddps %ymm0, %ymm1, %ymm2", ("v0 v1", "v2", "")),
        ("vxorps %xmm0, %xmm0, %xmm0", ("", "v0", "")),
        ("addq $16, %r12 # imm = 0x10", ("r12", "r12", "")),
        ("movl %r8d, %eax", ("r8", "a", "")),
        ("cmpq $40, %rcx", ("c", "", "")),
        ("cmpl (%rdx), %ecx", ("c", "", "load 4 at %rdx +0 of d")),
        ("leaq 8(%rax,%rbx), %rcx", ("a b", "c", "")),
        ("movl $0, -8(%rsp)", ("", "", "store 4 at %rsp -8 of sp")),
        ("jne -113", ("", "", "")),
        ("movzbl (%rdi), %eax", ("", "a", "load 1 at %rdi +0 of di")),
        ("movswl 2(%rdi), %eax", ("", "a", "load 2 at %rdi +2 of di")),
        ("movslq (%rdi), %rax", ("", "a", "load 4 at %rdi +0 of di")),
    ],
)
def test_x86(text: str, expected: tuple[str, str, str]) -> None:
    assert in_words(x86_operation(text)) == expected


@pytest.mark.parametrize(("text", "expected"), OF_AARCH64.items())
def test_aarch64(text: str, expected: tuple[str, str, str]) -> None:
    assert in_words(aarch64_operation(text)) == expected


@needs_cycle_model
def test_llvm_takes_the_same_registers_to_be_read_and_written() -> None:
    of_llvm = read_and_written(list(OF_AARCH64), sorted(REGISTERS))
    ours = [aarch64_operation(text) for text in OF_AARCH64]
    for text, operation, (reads, writes) in zip(OF_AARCH64, ours, of_llvm, strict=True):
        base = operation.access.registers if operation.access else set()
        assert (operation.reads | base) & REGISTERS == reads, text
        assert operation.writes & REGISTERS == writes, text


def test_a_value_into_the_upper_half_keeps_the_lower_one() -> None:  # not so in LLVM's models
    assert in_words(aarch64_operation("fmov v0.d[1], x1")) == ("v0 x1", "v0", "")


def test_an_indexed_address_is_its_text() -> None:
    access = aarch64_operation("ldr q0, [x0, x1, lsl #4]").access
    assert access is not None
    assert (access.base, access.registers) == ("[x0, x1, lsl #4]", {"x0", "x1"})
