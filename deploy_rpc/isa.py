"""What the cycle model needs to know of an instruction set."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Code = tuple[bytes, ...]  # machine code, an instruction each

X86_PREFIXES = bytes((0x2E, 0x3E, 0x66, 0xF2, 0xF3, *range(0x40, 0x50)))  # bnd, notrack, REX, ...
X86_JUMPS = bytes((*range(0x70, 0x80), *range(0xE0, 0xE4), 0xC2, 0xC3, 0xE8, 0xE9, 0xEB))


@dataclass(frozen=True)
class Isa:
    """An instruction set: the tools' names for it, and how to read its instructions.

    `markers` are the instructions around what is counted (`cycle_model/markers.h`), `jumps` says of
    an instruction's bytes whether it ends a block, `loads` and `stores` match LLVM's text of one.
    `multiply_adds`, `half_multiply_adds` (of float16), `dot_products` (of int8), `vector_loads` and
    `vector_stores` are independent of each other, of the longest vectors that QEMU knows: what a
    pipeline model is tested with.
    `jumps_from_end`: a jump's distance is from the instruction's end, not its beginning.
    """

    name: str
    qemu: str
    triple: str
    disassembler_words: tuple[str, ...]
    zig_target: str
    markers: tuple[str, str]
    jumps: Callable[[bytes], bool]
    loads: re.Pattern[str]
    stores: re.Pattern[str]
    multiply_adds: tuple[str, ...]
    half_multiply_adds: tuple[str, ...]
    dot_products: tuple[str, ...]
    vector_loads: tuple[str, ...]
    vector_stores: tuple[str, ...]
    jumps_from_end: bool

    def loops(self, code: Code, last: str) -> bool:
        """Whether a block's last instruction, LLVM's text of it, jumps to the block's first."""
        found = re.search(r"#?(-\d+)$", last)
        size = sum(map(len, code)) - (0 if self.jumps_from_end else len(code[-1]))
        return found is not None and self.jumps(code[-1]) and -int(found[1]) == size


def isa_called(name: str) -> Isa:
    """The instruction set called `name`, as a core's row says; it has to be one of `ISAS`."""
    return ISAS[name]


def _aarch64_jumps(code: bytes) -> bool:
    """By the encodings of the Arm ARM, C4.1.66."""
    word = int.from_bytes(code, "little")
    return (
        word & 0x7C000000 == 0x14000000  # B, BL
        or word & 0xFE000000 == 0x54000000  # B.cond
        or word & 0x7C000000 == 0x34000000  # CBZ, CBNZ, TBZ, TBNZ
        or word & 0xFE000000 == 0xD6000000  # BR, BLR, RET
    )


def _x86_jumps(code: bytes) -> bool:
    """By the opcode maps of Intel's manual, volume 2, appendix A."""
    opcode = code.lstrip(X86_PREFIXES)
    if opcode[0] == 0x0F:
        return opcode[1] & 0xF0 == 0x80  # Jcc rel32
    if opcode[0] == 0xFF:
        return opcode[1] >> 3 & 7 in (2, 3, 4, 5)  # CALL and JMP by register or memory
    return opcode[0] in X86_JUMPS


AARCH64 = Isa(
    name="aarch64",
    qemu="qemu-aarch64",
    triple="aarch64-linux-gnu",
    disassembler_words=("-mattr=+all",),
    zig_target="aarch64-linux-musl",
    markers=("hint #0x70", "hint #0x71"),
    jumps=_aarch64_jumps,
    loads=re.compile("ld"),
    stores=re.compile("st"),
    multiply_adds=tuple(f"fmla v{i}.4s, v30.4s, v31.s[0]" for i in range(16)),
    half_multiply_adds=tuple(f"fmla v{i}.8h, v30.8h, v15.h[0]" for i in (*range(14), 24, 25)),
    dot_products=tuple(f"sdot v{i}.4s, v30.16b, v31.4b[0]" for i in range(16)),
    vector_loads=tuple(f"ldr q{16 + i}, [x0, #{16 * i}]" for i in range(8)),
    vector_stores=tuple(f"str q{16 + i}, [x1, #{16 * i}]" for i in range(8)),
    jumps_from_end=False,
)
X86_64 = Isa(
    name="x86_64",
    qemu="qemu-x86_64",
    triple="x86_64-linux-gnu",
    disassembler_words=(),  # knows all instructions without being told
    zig_target="x86_64-linux-musl",
    markers=("nopl 0x53465470(%rax)", "nopl 0x53465471(%rax)"),
    jumps=_x86_jumps,
    loads=re.compile(r"(?!lea|nop|prefetch)\S+ .*\(.*\),"),  # AT&T syntax: the target comes last
    stores=re.compile(r"(?!nop|prefetch|cmp|test|j|call)\S+ .*\([^()]*\)$"),
    multiply_adds=tuple(f"vfmadd231ps %ymm14, %ymm15, %ymm{i}" for i in range(12)),
    half_multiply_adds=(),
    dot_products=(),
    vector_loads=tuple(f"vmovups {32 * i}(%rax), %ymm{12 + i % 2}" for i in range(8)),
    vector_stores=tuple(f"vmovups %ymm{i}, {32 * i}(%rbx)" for i in range(8)),
    jumps_from_end=True,
)
ISAS = {isa.name: isa for isa in (AARCH64, X86_64)}
