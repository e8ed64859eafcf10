"""One engine in a process of its own: writes how long it takes to the first answer, and its memory.

    python bench/engine_process.py ENGINE MODEL INPUT.npy OUTPUT.npy OUTPUTS REPORT.json

MODEL is the engine's own file, or names two of them with a comma. Nothing but NumPy is imported
before the measurement begins, so that what the engine brings along counts as the engine's. Memory
is the highest resident set from there on, less what was resident then; the kernel's high-water mark
is reset there (clear_refs, proc(5)). One thread. The report is a file, as engines print, too.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np
from engine_loaders import ENGINES
from process_memory import reset_peak, status_bytes


def main() -> None:
    """Measures, writes the output and the report."""
    engine, model, input_path, output_path, outputs, report_path = sys.argv[1:]
    module, load = ENGINES[engine]
    x = np.load(input_path)
    resident = reset_peak()
    begin = time.perf_counter()
    if module:
        importlib.import_module(module)
    imported = time.perf_counter()
    y = load(model, 1)(x, int(outputs))
    end = time.perf_counter()
    np.save(output_path, y)
    report = {
        "import_ms": 1e3 * (imported - begin),
        "first_answer_ms": 1e3 * (end - imported),
        "memory_bytes": status_bytes("VmHWM") - resident,
    }
    Path(report_path).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
