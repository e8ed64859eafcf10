"""A shipped library's modelled cycles: of one whole inference, right, and the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.modelled_layers import measure_modelled_layers, modelled_layers_table
from bench.run import main as bench
from compile.build import main as build
from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.network import Network
from compile.source import random_network
from compile.targets import parse_target
from compile.verify import verify_outputs
from deploy_rpc import block_prices
from deploy_rpc.board_spec import BoardError, parse_board
from deploy_rpc.cores import find_core
from deploy_rpc.network_cycles import NetworkFile, network_cycles
from deploy_rpc.run import main as run
from tests.needs import needs_modelled_board
from tests.programs import run_main
from tests.small_networks import small_maps, small_network

A72 = find_core("cortex-a72")
LIMIT_S = 120  # for the whole of 1x g3: 4 s on an EPYC (Zen 5), 17 s on a Xeon that others share


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> NetworkFile:
    return _built(small_maps(), tmp_path_factory.mktemp("network") / "network.so")


def _built(network: Network, path: Path) -> NetworkFile:
    target = parse_target("cortex-a72")
    lowered = lower(network, "fused", target)
    library = build_library(lowered, target, find_linker("auto", target), path)
    return NetworkFile(path, library.prefix, network.output_shapes, 1)


@needs_modelled_board
def test_one_inference_answers_right_and_costs_the_same_twice(network_file: NetworkFile) -> None:
    network = small_maps()
    x = network.example_input()
    (first, outputs), (second, _) = (network_cycles(network_file, x, A72) for _ in range(2))
    verify_outputs(outputs, network, network.references(x), level="fused", where="a modelled A72")
    assert first == second
    assert len(first.hottest) == 10


@needs_modelled_board
@pytest.mark.timeout(LIMIT_S)
def test_all_of_shufflenet_is_priced_within_the_limit(tmp_path: Path) -> None:
    network = random_network("shufflenet-1.0x-g3")
    file = _built(network, tmp_path / "network.so")
    block_prices._prices_of.cache_clear()  # as in another program
    report, _ = network_cycles(file, network.example_input(), A72)
    assert report.coverage == 1


@needs_modelled_board
def test_a_faster_core_needs_fewer_cycles(network_file: NetworkFile) -> None:
    x = small_maps().example_input()
    slow, fast = (
        network_cycles(network_file, x, find_core(core))[0] for core in ("cortex-a72", "cortex-a76")
    )
    assert fast.llvm_model == "neoverse-n1"
    assert fast.cycles < 0.8 * slow.cycles
    assert fast.instructions == slow.instructions


@needs_modelled_board
@pytest.mark.parametrize(
    ("change", "fault"),
    [({"threads": 2}, "build it with --threads 1"), ({"prefix": None}, "needs TVM's runtime")],
)
def test_what_cannot_be_modelled_is_refused(
    network_file: NetworkFile, change: dict, fault: str
) -> None:
    fields = network_file.__dict__ | change
    with pytest.raises(BoardError, match=fault):
        network_cycles(NetworkFile(**fields), small_maps().example_input(), A72)


def test_without_the_tools_the_error_names_their_packages(
    network_file: NetworkFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BoardError, match=r"qemu-user.*llvm-19"):
        network_cycles(network_file, small_maps().example_input(), A72)


@needs_modelled_board
def test_of_two_threads_the_whole_is_the_sum_of_its_kernels_longest_shares() -> None:
    board, target = parse_board("modelled:cortex-a72"), parse_target("cortex-a72")
    *kernels, whole = measure_modelled_layers(small_network(), "fused", target, board, threads=2)
    assert sum(row["network_share"] for row in kernels) == pytest.approx(1)
    assert all(row["threads"] == 2 and 0 <= row["peak_share"] <= 1 for row in kernels)
    assert whole["note"] == "longest share of each kernel, barriers not counted"
    assert "2 threads (longest share" in modelled_layers_table([*kernels, whole]).title


@needs_modelled_board
def test_the_kernels_of_a_network_add_up_to_nearly_all_of_it() -> None:
    board = parse_board("modelled:cortex-a72")
    network = small_network()
    *kernels, whole = measure_modelled_layers(network, "fused", parse_target("cortex-a72"), board)
    assert 0.8 < sum(row["network_share"] for row in kernels) <= 1.02
    assert sum(row["calls"] * row["macs"] for row in kernels) == whole["macs"]
    assert all(row["kind"] == "modelled" and 0 <= row["peak_share"] <= 1 for row in kernels)
    assert modelled_layers_table([*kernels, whole]).row_count == len(kernels) + 1


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["memory", "--target", "host", "--board", "modelled"], "memory runs on local"),
        (["layers", "--target", "host", "--board", "modelled"], "target host is not"),
        (
            ["layers", "--target", "arm_cpu", "--board", "modelled", "--level", "stock"],
            "take --level unfused",
        ),
    ],
)
def test_bench_refuses_what_a_modelled_board_has_not(
    words: list[str], fault: str, tmp_path: Path
) -> None:
    done = run_main(bench, *words, "--json", tmp_path / "report.json")
    assert done.returncode == 2
    assert fault in done.stderr
    assert not (tmp_path / "report.json").exists()


@needs_modelled_board
def test_run_classifies_and_tells_modelled_cycles(tmp_path: Path) -> None:
    words = ["--target", "arm_cpu", "--model", "shufflenet-0.25x-g3", "--input-size", "64"]
    built = run_main(build, *words, "--out", tmp_path)
    library = built.stdout.splitlines()[-1]
    assert "Modelled cycles of one inference" in built.stdout
    picture = tmp_path / "picture.ppm"
    picture.write_bytes(b"P6 64 64 255\n" + bytes(range(256)) * 48)
    report = tmp_path / "report.json"
    arguments = [library, "--board", "modelled", "--image", picture, "--json", report]
    told = run_main(run, *arguments)
    assert "M modelled cycles, cortex-a72" in told.stdout
    modelled = json.loads(report.read_text())["modelled"]
    assert modelled["kind"] == "modelled"
    assert modelled["cycles"] > 0
    refused = run_main(run, *arguments, "--repeat", 3)
    assert refused.returncode == 1
    assert "leave it away" in refused.stderr
