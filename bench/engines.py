"""Other engines' files of one network, of the same weights, where the engine is installed.

ONNX files are of opset 17 on purpose: from AveragePool 19 on (torch's exporter takes opset 20 by
itself) ONNX Runtime 1.32 has a scalar loop for average pools, and ShuffleNet 1x g3 takes 86.4 M
instructions and 72.3 M modelled cycles on the A72 instead of 73.9 M and 65.8 M. Its other graph
optimisation levels were slower (extended 74.1 M, basic 80.2 M cycles), torch's two exporters equal.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from bench.limited import EngineError, run_limited
from bench.quantised_onnx import quantise_onnx
from bench.rows import ENGINE
from compile.library import Library
from compile.network import Network
from compile.quantise.inputs import synthetic_calibration
from compile.verify import TOLERANCES
from deploy_rpc.cores import Dtype
from model.zoo import create_model

PEERS = {  # with what runs them and makes their files, the distribution of the engine first
    "onnxruntime": ("onnxruntime",),
    "ncnn": ("ncnn", "pnnx"),
    "mnn": ("MNN",),
    "litert": ("ai_edge_litert", "litert_quantizer"),
    "openvino": ("openvino",),
    "pytorch": ("torch",),
    "pytorch-compile": ("torch",),
}
# those whose aarch64 wheels the modelled board runs
ARM_PEERS = ("onnxruntime", "ncnn", "mnn", "litert")
ARM_PEERS_IN: dict[Dtype, tuple[str, ...]] = {  # and which of them compute in a number format
    "float32": ARM_PEERS,
    "float16": ("ncnn", "mnn", "litert"),
    "int8": ("onnxruntime", "litert"),
}
# those that run a file of int8 on this machine
QUANTISED_PEERS = ("onnxruntime", "litert", "openvino")
NOT_QUANTISED = {  # why a peer of this machine has no file of int8
    "ncnn": "not offered in int8: its wheel has no quantiser",
    "mnn": "not offered in int8: the quantiser of its 3.6.1 wheel writes no file",
    "pytorch": "not offered in int8: its quantised program is no export of ours",
    "pytorch-compile": "not offered in int8: its quantised program is no export of ours",
}
COMPILERS = ("g++", "clang++")

LEAST_TOLERANCE = 1e-3  # of the output's range; ncnn's own error is 2e-4
LEAST_CORRELATION = 0.9  # of int8 with float32; of one network ONNX Runtime's is 0.98

CONVERT_LIMIT_S = 300
ONNX_OPSET = 17


@dataclass(frozen=True)
class Engine:
    """An engine, and its file of the network as `engine_loaders.py` takes it."""

    name: str
    model: str


def peers_in(dtype: Dtype) -> tuple[str, ...]:
    """Those that compute in `dtype` on this machine; none of float16, which it does not have."""
    return {"float32": tuple(PEERS), "int8": QUANTISED_PEERS}.get(dtype, ())


def quick_peers(dtype: Dtype = "float32") -> tuple[str, ...]:
    """Those that load within seconds: torch.compile takes a minute for a network on one core."""
    return tuple(name for name in peers_in(dtype) if name != "pytorch-compile")


def missing_engines(peers: Collection[str] | None = None) -> dict[str, str]:
    """Those of `peers`, by default all, that are not installed, each with what installs it."""
    peers = PEERS if peers is None else peers
    missing = {
        name: f"not installed: pip install {' '.join(PEERS[name])}"
        for name in peers
        if not all(find_spec(package) for package in PEERS[name])
    }
    if "pytorch-compile" in peers and not any(map(shutil.which, COMPILERS)):
        missing["pytorch-compile"] = f"needs a C++ compiler: {' or '.join(COMPILERS)}"
    return missing


def unmeasured_engines(peers: Collection[str], dtype: Dtype = "float32") -> dict[str, str]:
    """Why any engine that is known here is not among those of `peers` that are installed."""
    reasons = NOT_QUANTISED if dtype == "int8" else {}
    left_out = {
        name: reasons.get(name, "left out of this run") for name in PEERS if name not in peers
    }
    return left_out | missing_engines(peers)


def engine_versions() -> dict[str, str]:
    """Of the peers that are installed."""
    missing = missing_engines()
    return {name: version(packages[0]) for name, packages in PEERS.items() if name not in missing}


def our_engine(library: Library) -> Engine:
    """Our `library`, which has a C interface."""
    return Engine(ENGINE, f"{library.path.resolve()},{library.prefix}")


def prepare_engines(
    network: Network,
    library: Library,
    folder: Path,
    peers: Collection[str] = ARM_PEERS,
) -> list[Engine]:
    """Our `library` of `network`, and the files of those of `peers` that are installed.

    Raises `EngineError` where one cannot be made.
    """
    files = PeerFiles(network, folder)
    missing = missing_engines(peers)
    return [our_engine(library), *(files.engine(name) for name in peers if name not in missing)]


class PeerFiles:
    """The peers' files of `network` in `folder`; its random weights are drawn again for them.

    Those of int8 are calibrated on the inputs that ours is. Those of float16 are of float32, too:
    engines compute in it where they are told to, LiteRT where the file does.
    """

    def __init__(self, network: Network, folder: Path, dtype: Dtype = "float32") -> None:
        self._network = network
        self._example = torch.zeros(network.input_shape)
        self._folder = folder
        self._dtype = dtype
        self._onnx_file = self._quantised if dtype == "int8" else self._onnx

    @functools.cached_property
    def _module(self) -> torch.nn.Module:
        size = self._network.input_shape[2:]
        return create_model(self._network.name, input_size=size).eval()

    @functools.cached_property
    def _calibration(self) -> Sequence[np.ndarray]:
        return synthetic_calibration(self._network).inputs

    def engine(self, name: str) -> Engine:
        """The peer `name` with its file; raises `EngineError` where it cannot be made."""
        makers = {
            "onnxruntime": self._onnx_file,
            "ncnn": self._ncnn,
            "mnn": self._mnn,
            "litert": self._tflite,
            "openvino": self._onnx_file,
            "pytorch": self._exported,
            "pytorch-compile": self._exported,
        }
        return Engine(name, makers[name]())

    def _onnx(self) -> str:
        path = self._folder / "network.onnx"
        if not path.is_file():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    self._module,
                    (self._example,),
                    str(path),
                    dynamo=False,
                    opset_version=ONNX_OPSET,
                )
        return str(path)

    def _quantised(self) -> str:
        path = self._folder / "network.int8.onnx"
        if not path.is_file():
            quantise_onnx(Path(self._onnx()), self._calibration, path)
        return str(path)

    def _exported(self) -> str:
        path = self._folder / "network.pt2"
        if not path.is_file():
            torch.export.save(torch.export.export(self._module, (self._example,)), str(path))
        return str(path)

    def _mnn(self) -> str:
        onnx = Path(self._onnx())
        model = onnx.with_suffix(".mnn")
        words = ("-f", "ONNX", "--modelFile", onnx, "--MNNModel", model, "--bizCode", "bench")
        # Not MNN.tools.mnnconvert, which installs a package by pip and sends usage logs.
        program = "import sys, _tools; _tools.mnnconvert(sys.argv)"
        command = [sys.executable, "-c", program, *map(str, words)]
        done = run_limited("MNN's converter", command, CONVERT_LIMIT_S)
        if not model.is_file():
            raise EngineError(f"MNN made no file of the network: {done.stderr.strip()[-200:]}")
        return str(model)

    def _tflite(self) -> str:
        from bench.quantised_tflite import quantise_tflite
        from bench.tflite_network import TfliteError, write_tflite

        path = self._folder / "network.tflite"
        try:
            shape, half = self._network.input_shape, self._dtype == "float16"
            write_tflite(self._module, shape, path, half=half)
        except TfliteError as error:
            raise EngineError(f"no TensorFlow Lite file of the network: {error}") from error
        if self._dtype != "int8":
            return str(path)
        quantised = path.with_suffix(".int8.tflite")
        quantise_tflite(path, self._calibration, quantised)
        return str(quantised)

    def _ncnn(self) -> str:
        import pnnx

        with _silent_inside(self._folder):
            pnnx.export(self._module, "network.pt", self._example)
        files = [self._folder / f"network.ncnn.{suffix}" for suffix in ("param", "bin")]
        if not all(file.is_file() for file in files):
            raise EngineError("pnnx made no ncnn files of it; leave ncnn uninstalled for now")
        return ",".join(map(str, files))


@contextlib.contextmanager
def _silent_inside(folder: Path) -> Iterator[None]:
    """Within `folder`, which pnnx writes into, and without its words, which its program prints."""
    sys.stdout.flush()
    before, kept = Path.cwd(), {stream: os.dup(stream) for stream in (1, 2)}
    os.chdir(folder)
    with Path(os.devnull).open("w") as nothing:
        for stream in kept:
            os.dup2(nothing.fileno(), stream)
    try:
        yield
    finally:
        sys.stdout.flush()
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)
        os.chdir(before)


def check_output(
    engine: str, network: Network, y: np.ndarray, expected: np.ndarray, dtype: Dtype = "float32"
) -> None:
    """Raises `EngineError` where `y` is not the network's output, computed in `dtype`.

    Of int8 it has to correlate with `expected`, or where the network has a tolerance of its own, as
    our own of int8 have, to be within that.
    """
    if dtype == "int8" and network.tolerance is None:
        found = correlation(y, expected)
        if not found >= LEAST_CORRELATION:
            raise EngineError(
                f"{engine} answers wrong for {network.name}: its correlation with "
                f"{network.reference_name} is {found:.2f}, at least {LEAST_CORRELATION} is expected"
            )
        return
    allowed = network.tolerance
    if allowed is None:
        allowed = max(TOLERANCES[dtype], LEAST_TOLERANCE)
    error = float(np.abs(y.reshape(expected.shape) - expected).max() / np.ptp(expected))
    if not error <= allowed:
        raise EngineError(f"{engine} answers wrong for {network.name}: error {error:.2g}")


def correlation(y: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's, of two outputs; NaN where one is the same everywhere."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(y.ravel(), expected.ravel())[0, 1])
