"""What the doctor finds of a part: that it is there, missing or broken, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass

FOUND, MISSING, BROKEN = "found", "missing", "broken"


@dataclass(frozen=True)
class Finding:
    """One part: found, missing or broken; `remedy` is a command, or what to do, or empty."""

    part: str
    state: str
    detail: str
    remedy: str = ""
