"""Many inferences of four instances on four threads."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.source import random_network
from compile.targets import host_target
from tests.soak.usage import SoakError, usage_of

INSTANCES = 4
INPUTS = 4
MOST_GROWTH_BYTES = 4 << 20  # of ten thousand inferences


def soak_inference(model: str, inferences: int) -> None:
    """Four instances of one library, a thread each; raises `SoakError`."""
    network, target = dataclasses.replace(random_network(model), name="small"), host_target()
    path = Path(tempfile.mkdtemp()) / "small.so"
    build_library(lower(network, "fused", target), target, find_linker("auto", target), path)
    library = ctypes.CDLL(str(path))
    inputs = np.random.default_rng(0).standard_normal((INPUTS, *network.input_shape))
    inputs = inputs.astype(np.float32)
    outputs = int(np.prod(network.output_shape))
    with ExitStack() as instances:
        runs = [_instance(library, instances, outputs) for _ in range(INSTANCES)]
        expected = [runs[0](x) for x in inputs]
        before, begin = usage_of([os.getpid()]), time.monotonic()
        wrong: Counter[int] = Counter()

        def work(number: int) -> None:
            for index in range(inferences // INSTANCES):
                which = (index + number) % INPUTS
                wrong[number] += runs[number](inputs[which]) != expected[which]

        threads = [threading.Thread(target=work, args=(n,)) for n in range(INSTANCES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = usage_of([os.getpid()])
    print(
        f"{model}: {inferences} inferences, {INSTANCES} instances, {INSTANCES} threads, "
        f"{time.monotonic() - begin:.0f} s; {wrong.total()} outputs differ; before: {before}; "
        f"after: {after}"
    )
    grew = after.memory - before.memory > MOST_GROWTH_BYTES
    if wrong.total() or grew or (after.threads, after.files) != (before.threads, before.files):
        raise SoakError("outputs differ, or something grew")


def _instance(
    library: ctypes.CDLL, instances: ExitStack, outputs: int
) -> Callable[[np.ndarray], bytes]:
    """What runs one of its own: an input to the bytes of its output."""
    network, y = ctypes.c_void_p(), np.empty(outputs, np.float32)
    assert library.small_create(ctypes.byref(network), None) == 0
    instances.callback(library.small_destroy, network)

    def run(x: np.ndarray) -> bytes:
        places = [ctypes.c_void_p(each.ctypes.data) for each in (x, y)]
        sizes = [ctypes.c_size_t(each.size) for each in (x, y)]
        assert library.small_run(network, places[0], sizes[0], places[1], sizes[1]) == 0
        return y.tobytes()

    return run
