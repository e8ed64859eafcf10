"""Under what conditions a report was made: machine, load, versions, revision."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import psutil

from compile.report import versions

REPOSITORY = Path(__file__).resolve().parent.parent
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def measurement_context() -> dict[str, Any]:
    """The `context` of a bench report."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "governor": GOVERNOR.read_text().strip() if GOVERNOR.exists() else "not readable",
        "load_before": round(psutil.getloadavg()[0], 2),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "revision": _revision(),
        "versions": versions(),
    }


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:.*$", text, re.MULTILINE)
    isa = "AVX-512" if flags and " avx512f " in flags[0] else "AVX2" if flags else ""
    return f"{name[1] if name else platform.processor() or platform.machine()} {isa}".strip()


def _revision() -> str:
    """The commit, with `-dirty` for uncommitted changes; `unknown` outside a git checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    result = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=10, check=False
    )
    return result.stdout.strip() or "unknown"
