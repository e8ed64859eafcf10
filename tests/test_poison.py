"""What a workspace and an output held before a run shows nowhere in its result.

A padded lane that no kernel wrote, and that one reads, would: each run is behind two poisons, bytes
that are NaN or -1, and bytes that are 3.4e38 or 127.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from compile.library import Library, build_library
from compile.link import find_linker
from compile.lower import Lowered, lower
from compile.targets import CompileTarget, host_target, parse_target, with_abi, with_dtype
from deploy_rpc.compiled_once import zig
from deploy_rpc.cores import find_core
from deploy_rpc.emulated_program import run_emulated
from tests.c_options import Options
from tests.needs import needs_qemu
from tests.small_networks import calibrated, small_network
from tests.test_odd_values import SIDE, EveryMaximum, difference

POISONS = (0xFF, 0x7F)
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "small.h"
static _Alignas(256) char workspace[SMALL_WORKSPACE_BYTES];
static float x[SMALL_INPUT_VALUES], y[SMALL_OUTPUT_VALUES];
int main(int count, char **words) {
  FILE *in = fopen("x", "rb"), *out = fopen("y", "wb");
  if (count != 2 || !in || !out || fread(x, sizeof x, 1, in) != 1) return 2;
  small_options options = {.workspace = workspace, .workspace_bytes = sizeof workspace};
  small *network;
  memset(workspace, atoi(words[1]), sizeof workspace);
  memset(y, atoi(words[1]), sizeof y);
  if (small_create(&network, &options) != SMALL_OK) return 3;
  if (small_run(network, x, SMALL_INPUT_VALUES, y, SMALL_OUTPUT_VALUES) != SMALL_OK) return 4;
  small_destroy(network);
  return fwrite(y, sizeof y, 1, out) != 1 || fclose(out) != 0;
}
"""


def built(target: CompileTarget, threads: int, folder: Path) -> tuple[Lowered, Library]:
    """The network of every template, in the target's number format."""
    network, calibration = small_network(EveryMaximum(), SIDE), None
    if target.dtype == "int8":
        calibration = calibrated(network, 3)
    lowered = lower(network, "fused", target, threads=threads, calibration=calibration)
    linker = find_linker("auto", target)
    library = build_library(lowered, target, linker, folder / "small.so", static=True)
    return lowered, library


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_on_this_machine(dtype: str, tmp_path: Path) -> None:
    lowered, library = built(with_dtype(host_target(), dtype), 3, tmp_path)
    network = lowered.network
    x, expected = network.example_input(), network.reference(network.example_input())
    loaded = ctypes.CDLL(str(library.path))
    for poison in POISONS * 2:
        y = run_in_poison(loaded, library.workspace_bytes, poison, x, expected.size)
        assert_right(y, expected, dtype)


@needs_qemu
@pytest.mark.parametrize(("core", "dtype"), [("cortex-a72", "float32"), ("cortex-a72", "int8")])
def test_on_an_emulated_core(core: str, dtype: str, tmp_path: Path) -> None:
    target = with_abi(with_dtype(parse_target(core), dtype), "musl")
    lowered, library = built(target, 2, tmp_path)
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM, encoding="ascii")
    words = ["-target", "aarch64-linux-musl", "-static", "-O2", f"-I{tmp_path}", str(source)]
    zig([*words, str(library.archive), "-o", str(program)])
    network = lowered.network
    x = network.example_input()
    x.tofile(tmp_path / "x")
    for poison in POISONS:
        run_emulated(program, [str(poison)], find_core(core))
        assert_right(np.fromfile(tmp_path / "y", np.float32), network.reference(x), dtype)


def run_in_poison(
    library: ctypes.CDLL, workspace_bytes: int, poison: int, x: np.ndarray, outputs: int
) -> np.ndarray:
    """The output of an instance in a workspace of bytes `poison`, over an output of them."""
    memory = np.full(workspace_bytes + 256, poison, np.uint8)
    start = -(-memory.ctypes.data // 256) * 256
    options = Options(start, workspace_bytes, 0, None, None)
    network, y = ctypes.c_void_p(), np.full(4 * outputs, poison, np.uint8).view(np.float32)
    assert library.small_create(ctypes.byref(network), ctypes.byref(options)) == 0
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in (x, y)]
    sizes = [ctypes.c_size_t(each.size) for each in (x, y)]
    assert library.small_run(network, pointers[0], sizes[0], pointers[1], sizes[1]) == 0
    library.small_destroy(network)
    return y


def assert_right(y: np.ndarray, expected: np.ndarray, dtype: str) -> None:
    """As PyTorch's, or in int8 to the bit what whole numbers give."""
    y = y.reshape(expected.shape)
    if dtype == "int8":
        np.testing.assert_array_equal(y, expected)
    assert difference(y, expected) == ""
