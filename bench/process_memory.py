"""Memory of this very process, from /proc (proc(5)); for the processes that run one engine."""

from __future__ import annotations

from pathlib import Path


def reset_peak() -> int:
    """Bytes that are resident now; the kernel's high-water mark, VmHWM, starts again from there."""
    Path("/proc/self/clear_refs").write_text("5")
    return status_bytes("VmRSS")


def status_bytes(name: str) -> int:
    """The field `name` of /proc/self/status, which is in KiB there."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")
