"""The C functions of a built library with arguments that are right, wrong, null or not aligned."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.targets import host_target
from tests.c_options import Options
from tests.fuzz.c_coverage import COUNTING, counting_folder
from tests.small_networks import small_network

OK, STATUSES = 0, range(7)
SIZES = st.sampled_from([0, 1, 2**31, 2**63, 2**64 - 1])
PLACES = st.sampled_from(["null", "right", "one byte further"])


@dataclasses.dataclass(frozen=True)
class Call:
    """One create, run and destroy; sizes of None are the right ones."""

    workspace: str
    workspace_bytes: int | None
    threads: int
    input: str
    input_values: int | None
    output: str
    output_values: int | None


RIGHT_CALL = Call("right", None, 1, "right", None, "right", None)
calls = st.lists(
    st.builds(
        Call,
        workspace=PLACES,
        workspace_bytes=st.none() | SIZES,
        threads=st.integers(-2, 3) | st.sampled_from([2**31 - 1, -(2**31)]),
        input=PLACES,
        input_values=st.none() | SIZES,
        output=PLACES,
        output_values=st.none() | SIZES,
    ),
    max_size=4,
)


def makes_calls(made: list[Call]) -> None:
    """Each status is one of the header's, and OK only where all was right."""
    for call in made:
        _make(call)


def _make(call: Call) -> None:
    library, workspace_bytes, inputs, outputs = _library()
    memory = np.zeros(workspace_bytes + 256, np.uint8)
    x, y = np.zeros(inputs + 1, np.float32), np.zeros(outputs + 1, np.float32)
    start = -(-memory.ctypes.data // 128) * 128
    bytes_given = workspace_bytes if call.workspace_bytes is None else call.workspace_bytes
    if call.workspace != "null" and call.workspace_bytes not in (None, 0, 1):
        bytes_given = workspace_bytes  # a larger size would be a lie about memory
    options = Options(_at(start, call.workspace), bytes_given, call.threads, None, None)
    network = ctypes.c_void_p()
    status = library.small_create(ctypes.byref(network), ctypes.byref(options))
    assert status in STATUSES
    assert (status == OK) == bool(network.value)
    sizes = [
        right if given is None else given
        for right, given in ((inputs, call.input_values), (outputs, call.output_values))
    ]
    status = library.small_run(
        network,
        ctypes.c_void_p(_at(x.ctypes.data, call.input)),
        ctypes.c_size_t(sizes[0]),
        ctypes.c_void_p(_at(y.ctypes.data, call.output)),
        ctypes.c_size_t(sizes[1]),
    )
    right = bool(network.value) and (call.input, call.output) == ("right", "right")
    assert (status == OK) == (right and sizes == [inputs, outputs])
    assert status in STATUSES
    assert library.small_status_text(status)
    assert bool(library.small_last_error(network)) == (status != OK)
    library.small_destroy(network)


def _at(address: int, place: str) -> int | None:
    return {"null": None, "right": address, "one byte further": address + 1}[place]


@dataclasses.dataclass(frozen=True)
class FuzzedLibrary:
    """What is fuzzed: a small network for two threads."""

    path: Path
    workspace_bytes: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@functools.cache
def fuzzed_library() -> FuzzedLibrary:
    """Built once; it counts its lines where they are asked for."""
    network, target = small_network(), host_target()
    counted = counting_folder()
    path = (counted or Path(tempfile.gettempdir())) / "small.so"
    lowered = lower(network, "fused", target, threads=2)
    linker = find_linker("gnu" if counted else "auto", target)
    if counted:
        linker = dataclasses.replace(linker, command=(*linker.command, *COUNTING))
    built = build_library(lowered, target, linker, path)
    return FuzzedLibrary(
        built.path, built.workspace_bytes, network.input_shape, network.output_shape
    )


@functools.cache
def _library() -> tuple[ctypes.CDLL, int, int, int]:
    """With the bytes of its workspace, and how many values go in and come out."""
    built = fuzzed_library()
    library = ctypes.CDLL(str(built.path))
    for text in (library.small_last_error, library.small_status_text):
        text.restype = ctypes.c_char_p
    inputs, outputs = (int(np.prod(shape)) for shape in (built.input_shape, built.output_shape))
    return library, built.workspace_bytes, inputs, outputs
