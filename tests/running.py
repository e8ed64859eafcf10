"""Lowered networks, run on this machine as libraries."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from compile.library import build_library
from compile.link import find_linker
from compile.lower import Lowered
from compile.targets import host_target
from deploy_rpc.session import open_session
from model.outputs import the_only


def output_of(lowered: Lowered, x: np.ndarray) -> np.ndarray:
    """The only output of `lowered`, built for this machine, for `x`."""
    return the_only(outputs_of(lowered, x))


def outputs_of(lowered: Lowered, x: np.ndarray) -> list[np.ndarray]:
    """What the library of `lowered`, built for this machine, makes of `x`."""
    host = host_target()
    with tempfile.TemporaryDirectory() as folder, open_session("local") as session:
        library = Path(folder) / "network.so"
        build_library(lowered, host, find_linker("auto", host), library)
        shapes = lowered.network.output_shapes
        return session.load(library, output_shapes=shapes, threads=lowered.threads).run_all(x)
