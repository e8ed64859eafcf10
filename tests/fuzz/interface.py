"""The C functions of a built library with arguments that are right, wrong, null or not aligned."""

from __future__ import annotations

import dataclasses
import functools
import math
import struct
import tempfile
from pathlib import Path

from hypothesis import strategies as st

from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.targets import host_target
from tests.fuzz.c_coverage import COUNTING, counting_folder
from tests.fuzz.sanitised import SANITIZERS, FedProgram, compile_sanitised, gcc_sanitizes
from tests.small_networks import small_network

PROGRAM = Path(__file__).with_name("interface_program.c")
OK, STATUSES = 0, range(7)
SIZES = st.sampled_from([0, 1, 2**31, 2**63, 2**64 - 1])
NOWHERE, RIGHT_PLACE, FURTHER = range(3)
PLACES = st.sampled_from([NOWHERE, RIGHT_PLACE, FURTHER])


@dataclasses.dataclass(frozen=True)
class Call:
    """One create, run and destroy; sizes of None are the right ones."""

    workspace: int
    workspace_bytes: int | None
    threads: int
    input: int
    input_values: int | None
    output: int
    output_values: int | None


RIGHT_CALL = Call(RIGHT_PLACE, None, 1, RIGHT_PLACE, None, RIGHT_PLACE, None)
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
    built = fuzzed_library(gcc_sanitizes())
    message = b"".join(_packed(call, built) for call in made)
    answers = INTERFACE.feed(message, ANSWER.size * len(made))
    for call, answer in zip(made, ANSWER.iter_unpack(answers), strict=True):
        _check(call, answer, built)


CALL, ANSWER = struct.Struct("<3BiQQQ"), struct.Struct("<5B")


def _packed(call: Call, built: FuzzedLibrary) -> bytes:
    """As `interface_program.c` reads it."""
    is_lie = call.workspace != NOWHERE and call.workspace_bytes not in (0, 1)  # about memory
    is_right = call.workspace_bytes is None or is_lie
    bytes_given = built.workspace_bytes if is_right else call.workspace_bytes
    places = call.workspace, call.input, call.output
    return CALL.pack(*places, call.threads, bytes_given, *_sizes(call, built))


def _sizes(call: Call, built: FuzzedLibrary) -> list[int]:
    pairs = (call.input_values, built.input_shape), (call.output_values, built.output_shape)
    return [math.prod(shape) if given is None else given for given, shape in pairs]


def _check(call: Call, answer: tuple[int, ...], built: FuzzedLibrary) -> None:
    created, is_made, ran, has_text, has_error = answer
    assert created in STATUSES
    assert (created == OK) == bool(is_made)
    places_are_right = (call.input, call.output) == (RIGHT_PLACE, RIGHT_PLACE)
    sizes_are_right = _sizes(call, built) == _sizes(RIGHT_CALL, built)
    assert (ran == OK) == bool(is_made and places_are_right and sizes_are_right)
    assert ran in STATUSES
    assert has_text
    assert bool(has_error) == (ran != OK)


@dataclasses.dataclass(frozen=True)
class FuzzedLibrary:
    """What is fuzzed: a small network for two threads."""

    path: Path
    workspace_bytes: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@functools.cache
def fuzzed_library(is_sanitised: bool) -> FuzzedLibrary:
    """Built once of each kind; it counts its lines where they are asked for."""
    network, target = small_network(), host_target()
    counted = counting_folder()
    words = (*(COUNTING if counted else ()), *(SANITIZERS if is_sanitised else ()))
    folder = (counted or Path(tempfile.gettempdir())) / ("sanitised" if is_sanitised else "plain")
    folder.mkdir(exist_ok=True)
    lowered = lower(network, "fused", target, threads=2)
    linker = find_linker("gnu" if words else "auto", target)
    linker = dataclasses.replace(linker, command=(*linker.command, *words))
    built = build_library(lowered, target, linker, folder / "small.so")
    return FuzzedLibrary(
        built.path, built.workspace_bytes, network.input_shape, network.output_shape
    )


def _make(made: Path) -> None:
    library = fuzzed_library(gcc_sanitizes()).path
    folder = str(library.parent)
    words = [f"-I{folder}", str(PROGRAM), str(library), f"-Wl,-rpath,{folder}", "-pthread"]
    compile_sanitised(["-D_DEFAULT_SOURCE", *words], made)


INTERFACE = FedProgram("fuzzed-interface", _make)
