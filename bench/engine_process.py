"""One engine in a process of its own: prints how long it takes to the first answer, and its memory.

    python bench/engine_process.py ENGINE MODEL INPUT.npy OUTPUT.npy OUTPUTS

MODEL is the engine's own file, or names two of them with a comma. Nothing but NumPy is imported
before the measurement begins, so that what the engine brings along counts as the engine's. Memory
is the highest resident set from there on, less what was resident then; the kernel's high-water mark
is reset there (clear_refs, proc(5)). One thread.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray, int], np.ndarray]  # an input, and the number of outputs
Load = Callable[[str], Run]


def main() -> None:
    """Measures, writes the output, prints JSON."""
    engine, model, input_path, output_path, outputs = sys.argv[1:]
    module, load = ENGINES[engine]
    x = np.load(input_path)
    Path("/proc/self/clear_refs").write_text("5")
    resident = _status_bytes("VmRSS")
    begin = time.perf_counter()
    if module:
        importlib.import_module(module)
    imported = time.perf_counter()
    y = load(model)(x, int(outputs))
    end = time.perf_counter()
    np.save(output_path, y)
    report = {
        "import_ms": 1e3 * (imported - begin),
        "first_answer_ms": 1e3 * (end - imported),
        "memory_bytes": _status_bytes("VmHWM") - resident,
    }
    print(json.dumps(report))


def _status_bytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"no {name} in /proc/self/status")


def _ours(model: str) -> Run:
    path, prefix = model.split(",")
    library, network = ctypes.CDLL(path), ctypes.c_void_p()
    created = library[f"{prefix}_create"](ctypes.byref(network), None)

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        y = np.empty(outputs, np.float32)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (x, y))
        sizes = (ctypes.c_size_t(array.size) for array in (x, y))
        (given, wanted), (inputs, room) = pointers, sizes
        status = created or library[f"{prefix}_run"](network, given, inputs, wanted, room)
        if status:
            raise RuntimeError(f"the library answers with status {status}")
        return y

    return run


def _onnxruntime(model: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x, outputs: session.run(None, {name: x})[0].reshape(outputs)


def _ncnn(model: str) -> Run:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{option}", False)
    parameters, weights = model.split(",")
    net.load_param(parameters)
    net.load_model(weights)

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(x[0]))
        return np.array(extractor.extract("out0")[1]).reshape(outputs)

    return run


def _mnn(model: str) -> Run:
    from MNN import expr, nn

    settings = {"backend": "CPU", "precision": "high", "numThread": 1}
    manager = nn.create_runtime_manager((settings,))
    network = nn.load_module_from_file(model, [], [], runtime_manager=manager)

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        given = expr.convert(expr.const(x, list(x.shape), expr.NCHW), expr.NC4HW4)
        return np.array(network.forward([given])[0].read()).reshape(outputs)

    return run


ENGINES: dict[str, tuple[str | None, Load]] = {
    "shufflenet-compiled": (None, _ours),
    "onnxruntime": ("onnxruntime", _onnxruntime),
    "ncnn": ("ncnn", _ncnn),
    "mnn": ("MNN", _mnn),
}

if __name__ == "__main__":
    main()
