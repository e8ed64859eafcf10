"""The engines that are compared: which compute what, which are installed, and of which version."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from bench.rows import ENGINE
from compile.library import Library
from deploy_rpc.cores import Dtype

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
