"""The C names of a network: all begin with its own, so that one program can use several."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

# fmt: off
KEYWORDS = frozenset((
    "auto", "break", "case", "char", "class", "const", "continue", "default", "delete", "do",
    "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long",
    "new", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
    "switch", "template", "this", "typedef", "union", "unsigned", "void", "volatile", "while",
))
# fmt: on
TAKEN = frozenset(("input", "max", "workspace"))  # the header's own constants begin so
PUBLIC = ("create", "run", "last_error", "status_text", "destroy")


def c_prefix(name: str) -> str:
    """The network's name as a C identifier in lower case: `shufflenet_1_0x_g3`."""
    prefix = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"net_{prefix}" if prefix in KEYWORDS or not prefix[:1].isalpha() else prefix


def c_fields(names: Sequence[str]) -> list[str]:
    """A C identifier in lower case for each of `names`, no two alike, none of the header's own."""
    fields: list[str] = []
    for name in names:
        plain = c_prefix(name)
        candidates = itertools.chain([plain], (f"{plain}_{n}" for n in itertools.count(2)))
        fields.append(next(c for c in candidates if c not in TAKEN and c not in fields))
    return fields


def compute_symbol(prefix: str) -> str:
    """The generated function that the C sources call."""
    return f"{prefix}_compute"


def barrier_symbol(prefix: str) -> str:
    """The C function that the generated code calls where its threads meet."""
    return f"{prefix}_barrier"


def kernel_symbol(prefix: str, kernel: str) -> str:
    """One kernel, as the generated function calls it."""
    return f"{prefix}_kernel_{kernel}"
