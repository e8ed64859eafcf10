"""The header says what the library takes and gives; its names are the network's own."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from torch import nn

from compile.aot.header import make_interface, reserved_bytes
from compile.aot.symbols import PUBLIC, c_prefix
from compile.link import find_linker
from compile.lower import lower
from compile.targets import host_target, parse_target
from tests.small_networks import small_network

TARGET = parse_target("arm_cpu")


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("shufflenet-1.0x-g3", "shufflenet_1_0x_g3"),
        ("My Network (v2)", "my_network_v2"),
        ("2nd", "net_2nd"),
        ("int", "net_int"),
        ("class", "net_class"),
        ("bool", "net_bool"),
        ("Operator", "net_operator"),
        ("const-cast", "net_const_cast"),
        ("main", "net_main"),
        ("exit", "net_exit"),
        ("log2", "net_log2"),
        ("read", "net_read"),
        ("alexnet", "alexnet"),
        ("...", "net_"),
    ],
)
def test_a_network_s_name_becomes_a_c_identifier(name: str, prefix: str) -> None:
    assert c_prefix(name) == prefix
    assert re.fullmatch("[a-z][a-z0-9_]*", prefix)


@pytest.mark.parametrize("name", ["main", "bool"])
def test_a_header_compiles_in_c_and_cpp_whatever_its_network_is_called(
    name: str, tmp_path: Path
) -> None:
    network = dataclasses.replace(small_network(), name=name)
    lowered = lower(network, "fused", TARGET)
    interface = make_interface(network, TARGET, "fused", lowered.compute, name)
    (tmp_path / "network.h").write_text(interface.header)
    program = '#include <stdlib.h>\n#include "network.h"\nint main(void) { exit(0); }\n'
    linker = find_linker("zig", host_target())
    for source in ("program.c", "program.cc"):
        (tmp_path / source).write_text(program)
        linker.compile(["-Werror", source], "program.o", tmp_path)


def test_planes_that_are_no_picture_s_colours_have_no_ranges_in_the_header() -> None:
    network = small_network(nn.Conv2d(3, 4, 1))
    grey = dataclasses.replace(network, input_shape=(1, 1, *network.input_shape[2:]))
    lowered = lower(network, "fused", TARGET)
    interface = make_interface(grey, TARGET, "fused", lowered.compute, "small")
    found = constants(interface.header)
    assert found["SMALL_INPUT_CHANNELS"] == "1"
    assert not {"SMALL_CHANNELS", "SMALL_MEAN", "SMALL_STD", "SMALL_LOWEST"} & found.keys()
    assert "its range is that of its training" in interface.header


def constants(header: str) -> dict[str, str]:
    return dict(re.findall(r"^#define (\w+) (.+)$", header, re.MULTILINE))


@pytest.mark.parametrize("threads", [1, 4])
def test_the_header_states_sizes_ranges_and_every_function(threads: int) -> None:
    network = dataclasses.replace(small_network(), preprocessing="bgr255", name="small")
    lowered = lower(network, "fused", TARGET, threads=threads)
    interface = make_interface(network, TARGET, "fused", lowered.compute, "small.arm_cpu")
    found = constants(interface.header)
    _, channels, height, width = network.input_shape
    assert found["SMALL_INPUT_VALUES"] == str(channels * height * width)
    assert (found["SMALL_INPUT_HEIGHT"], found["SMALL_INPUT_WIDTH"]) == (str(height), str(width))
    assert found["SMALL_CHANNELS"] == '"BGR"'
    assert found["SMALL_LOWEST"] == "{0.0f, 0.0f, 0.0f}"
    assert found["SMALL_HIGHEST"] == "{255.0f, 255.0f, 255.0f}"
    assert found["SMALL_MAX_THREADS"] == str(threads)
    total = lowered.workspace.bytes + reserved_bytes(threads)
    assert found["SMALL_WORKSPACE_BYTES"] == str(total) == str(interface.workspace_bytes)
    for name in PUBLIC:
        assert f"small_{name}(" in interface.header
    assert "small.arm_cpu.so" in interface.header
    assert "$" not in interface.header + interface.internal
