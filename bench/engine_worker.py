"""One engine in a process of its own that stays: loads, answers once, then times on demand.

    python bench/engine_worker.py ENGINE MODEL INPUT.npy OUTPUT.npy OUTPUTS THREADS

Speaks lines. First it writes {"memory_bytes"}, when its first output is in OUTPUT.npy. Then, for
each number N on stdin, it runs once untimed, so that the caches are its own again, and N times
timed, and writes {"ms", "memory_bytes"}: the mean of the N, and the most memory that the engine has
taken so far. It ends with stdin. What engines print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TextIO

import numpy as np
from engine_loaders import ENGINES
from process_memory import reset_peak, status_bytes


def main() -> None:
    """Loads, and serves until stdin ends."""
    engine, model, input_path, output_path, outputs, threads = sys.argv[1:]
    answers = _own_stdout()
    x, values = np.load(input_path), int(outputs)
    resident = reset_peak()
    _, load = ENGINES[engine]
    run = load(model, int(threads))
    np.save(output_path, run(x, values))
    _answer(answers, {"memory_bytes": status_bytes("VmHWM") - resident})
    for line in sys.stdin:
        run(x, values)
        calls = int(line)
        begin = time.perf_counter()
        for _ in range(calls):
            run(x, values)
        mean_ms = 1e3 * (time.perf_counter() - begin) / calls
        _answer(answers, {"ms": mean_ms, "memory_bytes": status_bytes("VmHWM") - resident})


def _own_stdout() -> TextIO:
    """What was stdout, for the answers alone: engines write to stdout when it suits them."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _answer(answers: TextIO, values: dict[str, float]) -> None:
    print(json.dumps(values), file=answers, flush=True)


if __name__ == "__main__":
    main()
