"""Under what conditions a report was made: machine, load, versions, revision."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil
import tvm
from tvm import relax

from bench.engines import engine_versions
from bench.interval import METHOD
from bench.provenance import revision
from compile.network import Network
from compile.report import versions

CPUINFO = Path("/proc/cpuinfo")
VECTOR_EXTENSIONS = {  # by the kernel's flag, the widest first
    "avx512f": "AVX-512",
    "avx2": "AVX2",
    "avx": "AVX",
    "sse4_2": "SSE4.2",
    "sve": "SVE",
    "asimd": "NEON",
}
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def measurement_context(command: str) -> dict[str, Any]:
    """The `context` of a bench report that `command` makes, before anything is measured.

    Suites add the hash of each network's weights, and why an engine is `not_measured`.
    """
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "cpu": cpu_name(CPUINFO.read_text() if CPUINFO.exists() else ""),
        "cores": os.cpu_count(),
        "governor": GOVERNOR.read_text().strip() if GOVERNOR.exists() else "not readable",
        "load_before": round(psutil.getloadavg()[0], 2),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "revision": revision(),
        "versions": versions(),
        "engines": engine_versions(),
        "not_measured": {},
        "interval": METHOD,
        "weights": {},
    }


def weights_hash(network: Network) -> str:
    """The first 16 digits of the SHA-256 of all constants of the imported graph, in its order."""
    digest = hashlib.sha256()

    def add(node: tvm.ir.RelaxExpr) -> None:
        is_constant = isinstance(node, tvm.ir.Constant)
        if is_constant and isinstance(node.value, tvm.runtime.Tensor):  # no extent of a shape
            digest.update(node.value.numpy().tobytes())

    relax.analysis.post_order_visit(network.module["main"], add)
    return digest.hexdigest()[:16]


def cpu_name(cpuinfo: str) -> str:
    """The processor and its widest vector extension, from the text of `/proc/cpuinfo`.

    Without a model name, as on most ARM kernels, the machine's name stands for it.
    """
    name = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    flags = line[1].split() if line else []
    extension = next((text for flag, text in VECTOR_EXTENSIONS.items() if flag in flags), "")
    return f"{name[1] if name else platform.processor() or platform.machine()} {extension}".strip()
