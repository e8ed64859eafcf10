"""How each engine loads its file of a network and runs it: one function for each.

Imports NumPy alone until an engine is loaded: what the engine brings along counts as the engine's,
and on the modelled board nothing else is there. Every engine gets its best settings for few
threads, and float32 throughout; those of `OTHER_TYPES` compute in another number format where the
core has it, and elsewhere silently in float32.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

Run = Callable[[np.ndarray, int], np.ndarray]  # an input, and the number of outputs
Load = Callable[[str, int], Run]  # the engine's own file or files, and the number of threads


def load_ours(model: str, threads: int) -> Run:
    """`model` is the library and the prefix of its names; it was built for its threads."""
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


def load_onnxruntime(model: str, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others wait for it
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x, outputs: session.run(None, {name: x})[0].reshape(outputs)


def load_ncnn(model: str, threads: int) -> Run:
    return _load_ncnn(model, threads, half=False)


def load_ncnn_half(model: str, threads: int) -> Run:
    return _load_ncnn(model, threads, half=True)


def _load_ncnn(model: str, threads: int, *, half: bool) -> Run:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in ("packing_layout", "winograd_convolution", "sgemm_convolution"):
        setattr(net.opt, f"use_{option}", True)
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic"):
        setattr(net.opt, f"use_{option}", half)
    net.opt.use_bf16_storage = False
    parameters, weights = model.split(",")
    net.load_param(parameters)
    net.load_model(weights)

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(x[0]))
        return np.array(extractor.extract("out0")[1]).reshape(outputs)

    return run


def load_mnn(model: str, threads: int) -> Run:
    return _load_mnn(model, threads, precision="high")


def load_mnn_half(model: str, threads: int) -> Run:
    return _load_mnn(model, threads, precision="low")


def _load_mnn(model: str, threads: int, *, precision: str) -> Run:
    from MNN import expr, nn

    settings = {"backend": "CPU", "precision": precision, "numThread": threads}
    manager = nn.create_runtime_manager((settings,))
    network = nn.load_module_from_file(model, [], [], runtime_manager=manager)

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        given = expr.convert(expr.const(x, list(x.shape), expr.NCHW), expr.NC4HW4)
        output = network.forward([given])[0]  # kept: reading it is reading what belongs to it
        return np.array(output.read()).reshape(outputs)

    return run


def load_litert(model: str, threads: int) -> Run:
    """XNNPACK takes what it has of the graph by itself; a file may let it compute in float16."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=threads)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(answer["index"]).reshape(outputs)

    return run


def load_openvino(model: str, threads: int) -> Run:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        answer = request.infer({0: x}, share_inputs=True, share_outputs=True)
        return np.array(answer[0]).reshape(outputs)

    return run


def load_pytorch(model: str, threads: int) -> Run:
    """`model` is an exported program, which runs operator by operator; channels last is faster."""
    return _run_pytorch(_pytorch_program(model, threads))


def load_pytorch_compiled(model: str, threads: int) -> Run:
    """The same through torch.compile, its weights frozen so that they can be packed."""
    from torch import compile as torch_compile
    from torch._inductor import config

    config.freezing = True
    return _run_pytorch(torch_compile(_pytorch_program(model, threads)))


def _pytorch_program(model: str, threads: int) -> Callable:
    import torch

    torch.set_num_threads(threads)
    return torch.export.load(model).module().to(memory_format=torch.channels_last)


def _run_pytorch(program: Callable) -> Run:
    import torch

    def run(x: np.ndarray, outputs: int) -> np.ndarray:
        with torch.no_grad():
            given = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
            return program(given).numpy().reshape(outputs)

    return run


ENGINES: dict[str, tuple[str | None, Load]] = {  # with the module whose import is timed apart
    "shufflenet-compiled": (None, load_ours),
    "onnxruntime": ("onnxruntime", load_onnxruntime),
    "ncnn": ("ncnn", load_ncnn),
    "mnn": ("MNN", load_mnn),
    "litert": ("ai_edge_litert.interpreter", load_litert),
    "openvino": ("openvino", load_openvino),
    "pytorch": ("torch", load_pytorch),
    "pytorch-compile": ("torch", load_pytorch_compiled),
}
OTHER_TYPES: dict[str, dict[str, Load]] = {  # of engines that compute in them, by number format
    "float16": {"ncnn": load_ncnn_half, "mnn": load_mnn_half, "litert": load_litert},
}


def loader(engine: str, dtype: str) -> Load:
    """How `engine` loads its file to compute in `dtype`; ours is built for its own."""
    return OTHER_TYPES.get(dtype, {}).get(engine, ENGINES[engine][1])
