"""The C names of a network: all begin with its own, so that one program can use several."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from compile.aot.c_words import KEYWORDS, LIBRARY

TAKEN = frozenset(("input", "max", "workspace"))  # the header's own constants begin so
PUBLIC = ("create", "run", "last_error", "status_text", "destroy")


def c_prefix(name: str) -> str:
    """The network's name as a C identifier in lower case: `shufflenet_1_0x_g3`.

    It begins with `net_` where it would be no identifier, or one that C or C++ have already.
    """
    prefix = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    is_taken = prefix in KEYWORDS or prefix in LIBRARY or not prefix[:1].isalpha()
    return f"net_{prefix}" if is_taken else prefix


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
