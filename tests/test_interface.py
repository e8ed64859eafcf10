"""The C interface of a built library does what its header says, in C programs that use it."""

from __future__ import annotations

import dataclasses
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compile.aot.symbols import PUBLIC
from compile.library import TVM_NAMES, Library, build_library
from compile.link import find_linker
from compile.lower import lower
from compile.network import Network
from compile.targets import CompileTarget, host_target, parse_target
from compile.verify import TOLERANCES
from tests.programs import WITHOUT_TORCH
from tests.small_networks import small_network

PROGRAM = sorted((Path(__file__).parent / "interface_program").glob("*.c"))
WARNINGS = ("-Wall", "-Wextra", "-Werror")
OPTIMISED = ("-O2", "-s")  # as all we compile: zig makes its runtime anew for other words
AVX2 = '{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "x86-64-v3"}'
CANNOT = 77  # exit status of the program where this machine cannot run a scenario
THREADS = (1, 3)  # 3: more than two cores have, and a number that divides few loops evenly
VALGRIND = (
    "valgrind", "-q", "--fair-sched=yes", "--error-exitcode=9", "--leak-check=full",
    "--errors-for-leak-kinds=definite,indirect,possible",
)  # fmt: skip

# Each with its runs, natively and in Valgrind, which is some 50 times slower. None: Valgrind puts
# its own allocation before the program's, and knows nothing of seccomp.
SCENARIOS: dict[str, tuple[int, int | None]] = {
    "errors_of_run": (1, 1),
    "errors_of_create": (1, 1),
    "status_texts": (1, 1),
    "own_memory": (20, 3),
    "any_number_of_threads": (20, 3),
    "many_instances": (50, 5),
    "same_instance": (100, 3),
    "no_allocation": (10, None),
    "no_system_call": (10, None),
    "on_thread": (5, 2),
    "many_lives": (2, 1),
    "pauses": (5, 3),
    "no_memory_left": (1, None),
    "no_thread_left": (1, 1),
    "forked_child": (5, 2),
    "forked_in_a_run": (10, 1),
    "no_thread_left_in_a_child": (1, 1),
    "forked_child_of_an_old_kernel": (5, 2),
}
IN_VALGRIND = [name for name, (_, runs) in SCENARIOS.items() if runs is not None]
OF_ONE_THREAD = ("errors_of_run", "errors_of_create", "own_memory", "same_instance", "many_lives")
VALGRIND_RUNS = [(name, 3) for name in IN_VALGRIND] + [(name, 1) for name in OF_ONE_THREAD]

LIBC = {
    "free", "madvise", "memcpy", "memset", "mmap", "munmap", "posix_memalign", "vsnprintf",
}  # fmt: skip
OF_TVMS_ENTRY = {"getpid", *(f"pthread_mutex_{name}" for name in ("lock", "trylock", "unlock"))}
OF_THREADS = {
    "pthread_cond_broadcast", "pthread_cond_destroy", "pthread_cond_init", "pthread_cond_wait",
    "pthread_create", "pthread_join", "pthread_mutex_destroy", "pthread_mutex_init",
    "pthread_mutex_lock", "pthread_mutex_unlock", "pthread_sigmask", "sched_yield", "sigfillset",
}  # fmt: skip
OF_EVERY_SHARED_LIBRARY = {"__cxa_finalize"}  # a linker's start files may call it

TWO_NETWORKS = """
#include <stdio.h>
#include <string.h>
#include "small.h"
#include "other.h"
static float a[SMALL_INPUT_VALUES], b[OTHER_INPUT_VALUES];
static float x[SMALL_OUTPUT_VALUES], y[OTHER_OUTPUT_VALUES], again[OTHER_OUTPUT_VALUES];
int main(void) {
  small *first;
  other *second;
  if (fread(a, sizeof a, 1, stdin) != 1 || fread(b, sizeof b, 1, stdin) != 1) return 1;
  if (small_create(&first, NULL) != SMALL_OK || other_create(&second, NULL) != OTHER_OK) return 2;
  if (other_run(second, b, OTHER_INPUT_VALUES, again, OTHER_OUTPUT_VALUES) != OTHER_OK) return 3;
  if (small_run(first, a, SMALL_INPUT_VALUES, x, SMALL_OUTPUT_VALUES) != SMALL_OK) return 4;
  if (other_run(second, b, OTHER_INPUT_VALUES, y, OTHER_OUTPUT_VALUES) != OTHER_OK) return 5;
  if (memcmp(y, again, sizeof y) != 0) return 6;
  small_destroy(first);
  other_destroy(second);
  fwrite(x, sizeof x, 1, stdout);
  fwrite(y, sizeof y, 1, stdout);
  return 0;
}
"""

EVERY_MACRO = """
#include "small.h"
#include "small.h"
float mean[] = SMALL_MEAN, std_[] = SMALL_STD;
float lowest[] = SMALL_LOWEST, highest[] = SMALL_HIGHEST, most = SMALL_MAX;
const char *texts[] = {SMALL_MODEL, SMALL_VERSION, SMALL_TARGET, SMALL_WEIGHTS_SHA256,
                       SMALL_CHANNELS};
size_t sizes[] = {SMALL_INPUT_VALUES, SMALL_OUTPUT_VALUES, SMALL_WORKSPACE_BYTES,
                  SMALL_WORKSPACE_ALIGNMENT};
int numbers[] = {SMALL_RESIZE, SMALL_CROP, SMALL_MAX_THREADS, SMALL_OK, SMALL_BUSY};
typedef char channels_agree[sizeof mean / sizeof *mean == SMALL_INPUT_CHANNELS ? 1 : -1];
typedef char sizes_agree[SMALL_INPUT_CHANNELS * SMALL_INPUT_HEIGHT * SMALL_INPUT_WIDTH
                         == SMALL_INPUT_VALUES ? 1 : -1];
int use(small **network);
int use(small **network) {
  small_options options = {NULL, 0, 1, NULL, NULL};
  float output[SMALL_OUTPUT_VALUES];
  const float input[SMALL_INPUT_VALUES] = {0};
  if (small_create(network, &options) != SMALL_OK) return small_status_text(1)[0];
  if (small_run(*network, input, SMALL_INPUT_VALUES, output, SMALL_OUTPUT_VALUES) != SMALL_OK)
    return small_last_error(*network)[0];
  small_destroy(*network);
  return 0;
}
"""

BY_CTYPES = """
import ctypes, sys
path, values, outputs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
library = ctypes.CDLL(path)
library.small_run.argtypes = [
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t
]
library.small_destroy.argtypes = [ctypes.c_void_p]
network = ctypes.c_void_p()
assert library.small_create(ctypes.byref(network), None) == 0
output = ctypes.create_string_buffer(4 * outputs)
assert library.small_run(network, sys.stdin.buffer.read(), values, output, outputs) == 0
library.small_destroy(network)
sys.stdout.buffer.write(output.raw)
"""

IN_A_FORKED_CHILD = """
import os, signal, sys, threading
import numpy as np
import tvm
path, shape, outputs = sys.argv[1], eval(sys.argv[2]), int(sys.argv[3])
x = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(shape)
main = tvm.runtime.load_module(path)["main"]
def run():
    output = tvm.runtime.empty((1, outputs), "float32")
    main(tvm.runtime.tensor(x), output)
    return output.numpy().tobytes()
def fork(runs):
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # where it would wait for the parent's threads, or its lock
        right = not runs or run() == before
        sys.exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
before = run()
fork(False)
fork(True)
ended = threading.Event()
def run_on():
    while not ended.is_set():
        run()
other = threading.Thread(target=run_on)
other.start()
for _ in range(5):
    fork(True)
ended.set()
other.join()
assert run() == before
sys.stdout.buffer.write(before)
"""

# A process that takes a while to end, whichever library's destructor comes first.
SLOW_END = """
#include <unistd.h>
__attribute__((destructor)) static void slow(void) { usleep(100000); }
"""
TVMS_ENTRY_AT_THE_END = """
import ctypes, sys, threading, time
from ctypes import c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
path, first, last = sys.argv[1:4]
shapes = eval(sys.argv[4])
class Tensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("device", c_int32), ("id", c_int32), ("dimensions", c_int32),
                ("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16), ("shape", c_void_p),
                ("strides", c_void_p), ("byte_offset", c_uint64)]
class Any(ctypes.Structure):
    _fields_ = [("type", c_int32), ("padding", c_uint32), ("pointer", c_void_p)]
keep, arguments, result = [], (Any * len(shapes))(), Any()
for argument, shape in zip(arguments, shapes):
    sizes, values = (c_int64 * len(shape))(*shape), 1
    for size in shape:
        values *= size
    data = (ctypes.c_float * values)()
    tensor = Tensor(ctypes.addressof(data), 1, 0, len(shape), 2, 32, 1, ctypes.addressof(sizes))
    keep += [sizes, data, tensor]
    argument.type, argument.pointer = 7, ctypes.addressof(tensor)
slow = ctypes.CDLL(first)
main = ctypes.CDLL(path).__tvm_ffi_main
slow = slow, ctypes.CDLL(last)
def run():
    assert main(None, arguments, len(shapes), ctypes.byref(result)) == 0
def run_on():
    while True:
        run()
        time.sleep(0.001)
run()
threading.Thread(target=run_on).start()
time.sleep(0.01)
ctypes.CDLL(None).exit(0)
"""


@dataclasses.dataclass(frozen=True)
class Built:
    """A network's library for this machine, and the program of scenarios linked with it."""

    network: Network
    library: Library
    program: Path


@pytest.fixture(scope="module")
def small() -> Network:
    return small_network()


@pytest.fixture(scope="module")
def built(small: Network, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Built]:
    """By the number of threads."""
    made = {}
    for threads in THREADS:
        folder = tmp_path_factory.mktemp(f"threads{threads}")
        library = _library(small, _runnable(), threads, folder)
        _compile(
            "-std=c11", *WARNINGS, "-O1", "-g", "-DNET=small", "-DNET_UPPER=SMALL", "-include",
            library.path.with_suffix(".h"), *PROGRAM, library.path, f"-Wl,-rpath,{folder}",
            "-rdynamic", "-pthread", "-ldl", "-o", folder / "program",
        )  # fmt: skip
        made[threads] = Built(small, library, folder / "program")
    return made


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_c_program_finds_what_the_header_promises(
    scenario: str, threads: int, built: dict[int, Built]
) -> None:
    done = _run([built[threads].program, scenario, SCENARIOS[scenario][0]])
    if done.returncode == CANNOT:
        pytest.skip("this kernel has no strict mode of seccomp, which would kill a system call")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("scenario", "threads"), VALGRIND_RUNS)
def test_valgrind_finds_no_error_and_no_leak(
    scenario: str, threads: int, built: dict[int, Built]
) -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not on the PATH (Debian: `apt-get install valgrind`)")
    done = _run([*VALGRIND, built[threads].program, scenario, SCENARIOS[scenario][1]])
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("threads", THREADS)
def test_a_c_program_computes_what_pytorch_does(threads: int, built: dict[int, Built]) -> None:
    network = built[threads].network
    x = network.example_input()
    done = _run([built[threads].program, "answer", 1], x.tobytes())
    assert done.returncode == 0, done.stderr
    _expect(network, x, np.frombuffer(done.stdout, np.float32))


@pytest.mark.parametrize("threads", THREADS)
def test_a_library_loads_and_runs_from_another_language(
    threads: int, built: dict[int, Built]
) -> None:
    """Through ctypes, in a process that has no TVM."""
    network, library = built[threads].network, built[threads].library
    x = network.example_input()
    outputs = int(np.prod(network.output_shape))
    done = _run([sys.executable, "-I", "-c", BY_CTYPES, library.path, x.size, outputs], x.tobytes())
    assert done.returncode == 0, done.stderr
    _expect(network, x, np.frombuffer(done.stdout, np.float32))


def test_a_forked_child_runs_tvms_entry_and_ends(built: dict[int, Built]) -> None:
    """Also without having run it, and where it was forked while another thread did: none of the
    parent's threads is there to be waited for."""
    network, library = built[3].network, built[3].library
    x = network.example_input()
    words = (library.path, x.shape, int(np.prod(network.output_shape)))
    done = _run([sys.executable, "-c", WITHOUT_TORCH + IN_A_FORKED_CHILD, *words], x.tobytes())
    assert done.returncode == 0, done.stderr
    _expect(network, x, np.frombuffer(done.stdout, np.float32))


def test_a_process_ends_while_a_thread_calls_tvms_entry(
    built: dict[int, Built], tmp_path: Path
) -> None:
    """A call that comes once the instance is destroyed waits for the end, and breaks nothing."""
    source, slow = tmp_path / "slow.c", [tmp_path / "first.so", tmp_path / "last.so"]
    source.write_text(SLOW_END, encoding="utf-8")
    for library in slow:
        _compile(*OPTIMISED, *WARNINGS, "-shared", "-fPIC", source, "-o", library)
    shapes = (built[1].network.input_shape, built[1].network.output_shape)
    words = (built[1].library.path, *slow, shapes)
    done = _run([sys.executable, "-I", "-c", TVMS_ENTRY_AT_THE_END, *words])
    assert (done.returncode, done.stderr) == (0, b"")


def test_one_program_links_two_networks_statically(small: Network, tmp_path: Path) -> None:
    """The answers of neither change with the other's, nor do they share what runs their threads."""
    other = dataclasses.replace(small_network(side=9), name="other")
    target = _runnable()
    archives = [
        _library(network, target, threads, tmp_path, static=True).archive
        for network, threads in ((small, 3), (other, 2))
    ]
    source, program = tmp_path / "two.c", tmp_path / "two"
    source.write_text(TWO_NETWORKS, encoding="utf-8")
    _compile("-std=c11", *OPTIMISED, *WARNINGS, source, *archives, "-pthread", "-lm", "-o", program)
    inputs = [network.example_input() for network in (small, other)]
    done = _run([program], b"".join(x.tobytes() for x in inputs))
    assert done.returncode == 0, done.stderr
    first, second = np.frombuffer(done.stdout, np.float32).reshape(2, -1)
    _expect(small, inputs[0], first)
    _expect(other, inputs[1], second)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("target", ["host", "arm_cpu"])
def test_a_library_needs_libc_and_shows_its_interface_alone(
    target: str, threads: int, small: Network, tmp_path: Path
) -> None:
    if shutil.which("nm") is None:
        pytest.skip("nm is not on the PATH (Debian: `apt-get install binutils`)")
    library = _library(small, parse_target(target), threads, tmp_path)
    of_threads = OF_THREADS if threads > 1 else set()
    needed = _names(library.path, "--undefined-only")
    assert needed <= LIBC | OF_TVMS_ENTRY | OF_EVERY_SHARED_LIBRARY | of_threads
    assert _names(library.path, "--defined-only") == {f"small_{n}" for n in PUBLIC} | {*TVM_NAMES}


@pytest.mark.parametrize(("language", "standard"), [("c", "c11"), ("c++", "c++17")])
def test_the_header_is_clean_c_and_c_plus_plus(
    language: str, standard: str, built: dict[int, Built], tmp_path: Path
) -> None:
    source = tmp_path / "use.c"
    source.write_text(EVERY_MACRO, encoding="utf-8")
    flags = ("-x", language, f"-std={standard}", *WARNINGS, "-pedantic")
    include = f"-I{built[1].library.path.parent}"
    _compile(*flags, include, "-c", source, "-o", tmp_path / "use.o")


def _runnable() -> CompileTarget:
    """This machine, without AVX-512: Valgrind knows none of it."""
    return parse_target(AVX2) if platform.machine() == "x86_64" else host_target()


def _library(
    network: Network, target: CompileTarget, threads: int, folder: Path, *, static: bool = False
) -> Library:
    lowered = lower(network, "fused", target, threads=threads)
    path = folder / f"{network.name}.so"
    return build_library(lowered, target, find_linker("auto", target), path, static=static)


def _compile(*words: object) -> None:
    done = _run([*find_linker("zig", host_target()).command, *words])
    assert done.returncode == 0, done.stderr.decode()


def _run(command: Sequence[object], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    words = [str(word) for word in command]
    return subprocess.run(words, input=given, capture_output=True, timeout=200)


def _names(library: Path, which: str) -> set[str]:
    """The dynamic symbols, without the versions of glibc's; weak ones may stay undefined."""
    done = _run(["nm", "-D", which, library])
    assert done.returncode == 0, done.stderr
    rows = [line.split()[-2:] for line in done.stdout.decode().splitlines()]
    return {name.split("@")[0] for kind, name in rows if kind not in "wv"}


def _expect(network: Network, x: np.ndarray, output: np.ndarray) -> None:
    expected = network.reference(x)
    assert output.size == expected.size
    error = np.abs(output.reshape(expected.shape) - expected).max()
    assert error < TOLERANCES["float32"] * np.ptp(expected)
