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
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from bench.engines import Engine, missing_engines
from bench.limited import EngineError, run_limited
from bench.quantised_onnx import quantise_onnx
from compile.network import Network
from compile.quantise.inputs import synthetic_calibration
from deploy_rpc.cores import Dtype
from model.cli import phase
from model.zoo import create_model

CONVERT_LIMIT_S = 300
ONNX_OPSET = 17


def peer_engines(
    network: Network, peers: Collection[str], folder: Path, dtype: Dtype = "float32"
) -> tuple[dict[str, Engine], dict[str, str]]:
    """Those of `peers` with their files of `network` in `folder`; and why others have none.

    A reason is under the peer's name where it is not installed, else network and input are beside.
    """
    made, failed = {}, missing_engines(peers)
    files = PeerFiles(network, folder, dtype)
    for name in peers:
        if name not in failed:
            try:
                with phase(f"make the file of {network.name} for {name}"):
                    made[name] = files.engine(name)
            except EngineError as error:
                failed[of_network(name, network)] = str(error)
    return made, failed


def of_network(peer: str, network: Network) -> str:
    """What a report calls `peer` where `network` is what it fails at."""
    height, width = network.input_shape[2:]
    return f"{peer} ({network.name}, {height}x{width})"


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
        try:
            return Engine(name, makers[name]())
        except EngineError:
            raise
        except Exception as error:  # other people's converters raise what they like
            raise EngineError(
                f"its file of the network cannot be made: {type(error).__name__}: {error}"
            ) from error

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
            raise EngineError("pnnx made no ncnn files of the network")
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
