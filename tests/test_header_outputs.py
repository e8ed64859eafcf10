"""A network's outputs have names in its header, and a C program gets each where it wants it."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest

from compile.aot.header_outputs import outputs_in_header
from compile.aot.symbols import c_fields
from compile.library import Library, build_library
from compile.link import find_linker
from compile.lower import lower
from compile.network import Network
from compile.targets import host_target
from compile.verify import verify_outputs
from model.outputs import Output
from tests.small_networks import small_maps

OPTIMISED = ("-O2", "-s")  # as all we compile: zig makes its runtime anew for other words
PROGRAM = """
#include <stdio.h>
#include <string.h>
#include "maps.h"

static float input[MAPS_INPUT_VALUES];
static float first[1 + MAPS_STRIDE2_VALUES], second[1 + MAPS_STRIDE4_VALUES];

static int refused(maps *network, const maps_outputs *outputs, int status, const char *text) {
  int got = maps_run(network, input, MAPS_INPUT_VALUES, outputs);
  fprintf(stderr, "%d %s\\n", got, maps_last_error(network));
  return got == status && strcmp(maps_last_error(network), text) == 0;
}

int main(void) {
  maps *network;
  float *one = first + 1, *two = second + 1; /* aligned to floats, and to nothing more */
  _Static_assert(MAPS_STRIDE2_CHANNELS * MAPS_STRIDE2_HEIGHT * MAPS_STRIDE2_WIDTH ==
                     MAPS_STRIDE2_VALUES, "the sizes of a map");
  maps_outputs outputs = {
    .stride4 = {two, MAPS_STRIDE4_VALUES},
    .stride2 = {one, MAPS_STRIDE2_VALUES},
  };
  if (fread(input, sizeof input, 1, stdin) != 1 || maps_create(&network, NULL) != MAPS_OK) return 1;
  maps_outputs none = outputs, small = outputs, odd = outputs;
  none.stride4.values = NULL;
  small.stride2.count -= 1;
  odd.stride2.values = (float *)((char *)one + 1);
  if (!refused(network, NULL, MAPS_NULL_POINTER, "the outputs are a null pointer")) return 2;
  if (!refused(network, &none, MAPS_NULL_POINTER, "the output stride4 is a null pointer")) return 3;
  if (!refused(network, &small, MAPS_WRONG_SIZE,
               "expected room for 1452 values of the output stride2, got 1451")) return 4;
  if (!refused(network, &odd, MAPS_MISALIGNED, "the output stride2 is not aligned to floats"))
    return 5;
  for (int i = 0; i < 2; ++i)
    if (maps_run(network, input, MAPS_INPUT_VALUES, &outputs) != MAPS_OK) return 6;
  maps_destroy(network);
  fwrite(one, sizeof *one, MAPS_STRIDE2_VALUES, stdout);
  fwrite(two, sizeof *two, MAPS_STRIDE4_VALUES, stdout);
  return 0;
}
"""


@pytest.fixture(scope="module")
def network() -> Network:
    return dataclasses.replace(small_maps(), name="maps")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_c_program_gets_every_output_or_the_name_of_the_wrong_one(
    threads: int, network: Network, tmp_path: Path
) -> None:
    library = _library(network, threads, tmp_path)
    (tmp_path / "program.c").write_text(PROGRAM, encoding="utf-8")
    zig = find_linker("zig", host_target()).command
    words = ("-std=c11", *OPTIMISED, "-Wall", "-Wextra", "-Werror", "program.c", library.path.name)
    _run([*zig, *words, "-Wl,-rpath,$ORIGIN", "-o", "program"], tmp_path)
    x = network.example_input()
    values = np.frombuffer(_run([tmp_path / "program"], tmp_path, x.tobytes()), np.float32)
    first, second = np.split(values, [network.outputs[0].values])
    shapes = network.output_shapes
    outputs = [first.reshape(shapes[0]), second.reshape(shapes[1])]
    verify_outputs(outputs, network, network.references(x), level="fused", where="a C program")


def test_the_header_names_every_output_with_its_sizes() -> None:
    outputs = (Output("stride4", (1, 24, 56, 40), 4), Output("Scores (raw)", (1, 10)))
    parts = outputs_in_header(outputs, "net")
    assert parts["output_constants"].splitlines()[1:] == [
        "/* stride4: (1, 24, 56, 40), a step in it is 4 pixels of the input */",
        "#define NET_STRIDE4_VALUES 53760",
        "#define NET_STRIDE4_CHANNELS 24",
        "#define NET_STRIDE4_HEIGHT 56",
        "#define NET_STRIDE4_WIDTH 40",
        "/* scores_raw: (1, 10) */",
        "#define NET_SCORES_RAW_VALUES 10",
    ]
    assert "  net_output scores_raw; /* (1, 10) */\n} net_outputs;" in parts["output_structs"]
    assert "const net_outputs *outputs" in parts["run_parameters"]


def test_one_output_is_a_pointer_and_a_size_whatever_its_name() -> None:
    parts = outputs_in_header([Output("softmax:0", (1, 10))], "net")
    assert parts["output_structs"] == ""
    assert "#define NET_OUTPUT_VALUES 10" in parts["output_constants"]
    assert " ".join(parts["run_parameters"].split()) == (
        "const float *input, size_t input_values, float *output, size_t output_values"
    )


def test_fields_are_identifiers_of_their_own() -> None:
    assert c_fields(["A.1", "a/1", "for", "input", "0"]) == [
        "a_1", "a_1_2", "net_for", "input_2", "net_0",
    ]  # fmt: skip


def _library(network: Network, threads: int, folder: Path) -> Library:
    target = host_target()
    lowered = lower(network, "fused", target, threads=threads)
    return build_library(lowered, target, find_linker("auto", target), folder / "maps.so")


def _run(command: list[object], folder: Path, given: bytes = b"") -> bytes:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, input=given, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
