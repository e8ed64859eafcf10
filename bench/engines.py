"""Other engines' files of one network, of the same weights, where the engine is installed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from bench.rows import ENGINE
from compile.library import Library
from compile.network import Network
from model.errors import InputError
from model.zoo import create_model

PEERS = {  # with what makes their files
    "onnxruntime": ("onnxruntime",),
    "ncnn": ("ncnn", "pnnx"),
    "mnn": ("MNN", "onnxruntime"),
}

CONVERT_LIMIT_S = 300


class EngineError(InputError):
    """An engine that cannot run the network, or that answers something else."""


@dataclass(frozen=True)
class Engine:
    """An engine, and its file of the network as `engine_process.py` takes it."""

    name: str
    model: str


def missing_engines() -> dict[str, str]:
    """The peers that are not installed, each with the line that installs it."""
    return {
        name: f"not installed: pip install {' '.join(packages)}"
        for name, packages in PEERS.items()
        if not all(find_spec(package) for package in packages)
    }


def prepare_engines(network: Network, library: Library, folder: Path) -> list[Engine]:
    """Our `library` of `network`, and the files of all peers that are installed, in `folder`.

    `network` is one of random weights, which are drawn again for the peers.
    """
    engines = [Engine(ENGINE, f"{library.path.resolve()},{library.prefix}")]
    installed = PEERS.keys() - missing_engines().keys()
    size = network.input_shape[2:]
    module = create_model(network.name, input_size=size).eval()
    example = torch.zeros(network.input_shape)
    path = folder / "network.onnx"
    if "onnxruntime" in installed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module, (example,), str(path), dynamo=False)
        engines.append(Engine("onnxruntime", str(path)))
    if "ncnn" in installed:
        engines.append(Engine("ncnn", _ncnn_files(module, example, folder)))
    if "mnn" in installed:
        engines.append(Engine("mnn", _mnn_file(path)))
    return engines


def _mnn_file(onnx: Path) -> str:
    model = onnx.with_suffix(".mnn")
    words = ("-f", "ONNX", "--modelFile", str(onnx), "--MNNModel", str(model), "--bizCode", "bench")
    program = "import sys; from MNN.tools.mnnconvert import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CONVERT_LIMIT_S)
    if not model.is_file():
        raise EngineError(f"MNN made no file of the network: {done.stderr.strip()[-200:]}")
    return str(model)


def _ncnn_files(module: torch.nn.Module, example: torch.Tensor, folder: Path) -> str:
    import pnnx

    with _silent_inside(folder):
        pnnx.export(module, "network.pt", example)
    files = [folder / f"network.ncnn.{suffix}" for suffix in ("param", "bin")]
    if not all(file.is_file() for file in files):
        raise EngineError("pnnx made no ncnn files of the network; leave ncnn uninstalled for now")
    return ",".join(map(str, files))


@contextlib.contextmanager
def _silent_inside(folder: Path) -> Iterator[None]:
    """Within `folder`, which pnnx writes into, and without its words, which its program prints."""
    sys.stdout.flush()
    before, stdout = Path.cwd(), os.dup(1)
    os.chdir(folder)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)
        os.chdir(before)


def check_output(engine: str, network: Network, y: np.ndarray, expected: np.ndarray) -> None:
    """Raises `EngineError` where `y` is not the network's output; ncnn's own error is 2e-4."""
    error = float(np.abs(y.reshape(expected.shape) - expected).max() / np.ptp(expected))
    if not error <= 1e-3:
        raise EngineError(f"{engine} answers wrong for {network.name}: error {error:.2g}")
