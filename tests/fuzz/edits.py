"""Strategies: a sound file or value of the corpus with a few edits a parser may stumble on."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
MOST_EDITS = 6
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
LARGEST = 1 << 16  # bytes of one edited file

odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), "", "\0"])
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)


def seeds(name: str) -> list[bytes]:
    """The files of the corpus whose names begin with `name`."""
    found = sorted(CORPUS.glob(f"{name}*"))
    assert found, f"no corpus of {name}"
    return [path.read_bytes() for path in found]


@st.composite
def edited_bytes(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """One of `originals`, some of its bytes changed, left out, repeated or made large numbers."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, MOST_EDITS))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 16))
        match draw(st.integers(0, 5)):
            case 0:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del data[at : at + length]
            case 2:
                del data[at:]
            case 3:
                data[at:at] = data[at : at + length] * draw(st.integers(1, 64))
            case 4:
                size = struct.pack("<I", draw(st.sampled_from(NUMBERS)))
                data[at : at + 4] = size if draw(st.booleans()) else size[::-1]
            case _:
                data[at:at] = draw(st.binary(max_size=16))
    return bytes(data[:LARGEST])


@st.composite
def edited_json(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """One of `originals`, which are JSON, with fields left out, renamed, or of another value."""
    value = json.loads(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, MOST_EDITS))):
        places = list(_places(value))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.integers(0, 3)):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = holder.pop(key)
            case 2:
                holder[key] = copy.deepcopy(value)
            case _:
                holder[key] = draw(odd_values)
    return json.dumps(value).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 (JSON)
    """Every dict or list in `value` with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value)) if _is_list(value) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _is_list(value: object) -> bool:
    return isinstance(value, list)
