"""What an instruction reads, writes and touches in memory, off LLVM's text of it.

Enough of AT&T syntax and of AArch64's to follow values through registers and stack slots; flags are
left out, so no instruction depends on a comparison.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

X86_VECTORS = {"xmm": 16, "ymm": 32, "zmm": 64}
X86_REGISTER = re.compile(r"%([xyz]mm)(\d+)|%(r\d+)[dwb]?|%[re]?([a-d])[xlh]|%[re]?(si|di|bp|sp)l?")
X86_ADDRESS = re.compile(r"(-?(?:0x[0-9a-f]+|\d+)?)\((.*)\)$")
X86_SCALARS = {"ss": 4, "sd": 8, "lps": 8, "hps": 8, "sq": 8}
X86_WIDENS = re.compile(r"mov[sz]([bwl])[wlq]")
X86_SUFFIXES = {"b": 1, "w": 2, "l": 4, "q": 8}
X86_READ_ONLY = ("cmp", "test", "vucom", "vcom", "j", "call", "push")
X86_OVERWRITES = ("mov", "vmov", "vbroadcast", "lea", "vcvt")  # of two operands, the target's value
ARM_BYTES = {"b": 1, "h": 2, "s": 4, "w": 4, "d": 8, "x": 8, "q": 16}
ARM_REGISTER = re.compile(r"\b([bhsdqvxw])(\d+)\b|\b(sp)\b")
ARM_VALUE = re.compile(r"\b([bhsdqxw])(?:\d+|zr)\b")
ARM_ADDRESS = re.compile(r"\[([^]#,]+)(?:, #(-?\d+))?\]")
ARM_VECTOR = re.compile(r"\bv\d+\.(\d*)([bhsd])")
ARM_NARROW = re.compile(r"(?:ld|st)\w*[rp]s?([bhw])")  # ldrb, sturh, ldpsw, ...
ARM_ONE_VALUE = re.compile(r"ld[1-4]r")
ARM_READ_ONLY = re.compile(
    r"f?c?cm[pn]e?|tst|b(\..*)?|blr?|br|cbn?z|tbn?z|ret|prfu?m|nop|hint|d[ms]b|isb"
)
ARM_KEEPS = re.compile(  # some or all of what its target holds goes into what it writes
    r"(f|[su]|sqr?d|bf)?ml[as]|fcmla|[a-z]+(dot|mmla) |[su]abal?|[su]adalp|[su]r?sra|s[lr]i |"
    r"(?!trn)\w+n2 |(su|us)qadd|(orr|bic) v[^,]*, #|bsl|bit |bif |tbx|bfi|bfc |bfxil|movk|ins |"
    r"f?mov [^,]*\[|ld[1-4] \{[^}]*}\[|aes[ed] |sha(1[cmps]|256)"
)


@dataclass(frozen=True)
class Access:
    """`size` bytes at `offset` from what `base`, the address's text, comes to."""

    base: str
    registers: frozenset[str]
    offset: int
    size: int
    stores: bool


@dataclass(frozen=True)
class Operation:
    """Registers by one name, whatever part is meant; those of the address are `access`'s.

    v3 is xmm3, ymm3, s3 and q3, a is eax and rax.
    """

    reads: frozenset[str]
    writes: frozenset[str]
    access: Access | None


@functools.cache
def x86_operation(text: str) -> Operation:
    """Of an instruction in AT&T syntax."""
    name, _, rest = text.partition("#")[0].strip().partition(" ")
    operands = _split(rest)
    access, reads, writes = None, set(), set()
    for index, operand in enumerate(operands):
        registers = _registers(operand, X86_REGISTER)
        is_target = index == len(operands) - 1 and not name.startswith(X86_READ_ONLY)
        if (found := X86_ADDRESS.search(operand)) and not name.startswith(("lea", "nop", "pref")):
            offset = int(found[1] or "0", 0)
            size = _x86_bytes(name, operands)
            stores = is_target and len(operands) > 1
            access = Access(found[2], registers, offset, size, stores)
        elif is_target and operand.startswith("%"):
            writes |= registers
            keeps = len(operands) < 3 and not name.startswith(X86_OVERWRITES)
            if keeps or "fmadd" in name or "fnmadd" in name:
                reads |= registers
        else:
            reads |= registers
    if "xor" in name and len(set(operands[:2])) == 1:
        reads = set()  # a zero, whatever was there
    return Operation(frozenset(reads), frozenset(writes), access)


@functools.cache
def aarch64_operation(text: str) -> Operation:
    """Of an instruction of AArch64."""
    name, _, rest = text.partition("//")[0].strip().partition(" ")
    at = rest.rfind("[") if re.match("ld|st", name) else -1
    values, address = (rest[:at], rest[at:]) if at >= 0 else (rest, "")
    operands = _split(values)
    named = [_registers(operand, ARM_REGISTER) for operand in operands]
    everything = frozenset().union(*named)
    access, moved = None, frozenset()
    if address:
        base = _registers(address, ARM_REGISTER)
        found = ARM_ADDRESS.match(address)
        offset, text_of_base = (int(found[2] or 0), found[1]) if found else (0, address)
        access = Access(text_of_base, base, offset, _arm_bytes(name, values), name.startswith("st"))
        if "]!" in address or "]," in address:
            moved = _registers(address.partition("]")[0], ARM_REGISTER)
    if name.startswith("st") or ARM_READ_ONLY.fullmatch(name):
        return Operation(everything, moved, access)
    writes = everything if access else (named[0] if named else frozenset())
    reads = frozenset().union(*named[1:]) if not access else frozenset()
    if ARM_KEEPS.match(f"{name} {rest}"):
        reads |= writes
    return Operation(reads, writes | moved, access)


OPERATIONS: dict[str, Callable[[str], Operation]] = {
    "x86_64": x86_operation,
    "aarch64": aarch64_operation,
}


def _split(operands: str) -> list[str]:
    """At the commas outside of brackets."""
    return [each.strip() for each in re.split(r",(?![^(\[{]*[)\]}])", operands) if each.strip()]


def _registers(operand: str, pattern: re.Pattern[str]) -> frozenset[str]:
    found = pattern.finditer(operand)
    return frozenset(_name([part for part in each.groups() if part]) for each in found)


def _name(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    kind, number = parts
    return f"{'x' if kind in 'xw' else 'v'}{number}"


def _x86_bytes(name: str, operands: list[str]) -> int:
    if widens := X86_WIDENS.fullmatch(name):
        return X86_SUFFIXES[widens[1]]
    scalar = next((size for end, size in X86_SCALARS.items() if name.endswith(end)), None)
    if scalar:
        return scalar
    kinds = [found[1] for found in map(X86_REGISTER.match, operands) if found and found[1]]
    return X86_VECTORS[kinds[-1]] if kinds else X86_SUFFIXES.get(name[-1], 8)


def _arm_bytes(name: str, values: str) -> int:
    """Of all registers in `values` together, of each vector a whole one, a lane or one value."""
    if vectors := ARM_VECTOR.findall(values):
        one_value = ARM_ONE_VALUE.fullmatch(name)
        return sum(ARM_BYTES[kind] * (1 if one_value else int(n or 1)) for n, kind in vectors)
    if narrow := ARM_NARROW.fullmatch(name):
        return ARM_BYTES[narrow[1]] * len(ARM_VALUE.findall(values))
    return sum(ARM_BYTES[kind] for kind in ARM_VALUE.findall(values))
