"""`python -m tests.permutations`: is every permutation of a tensor held by a test?

A shuffle the wrong way round, the halves of a concat in the other order or weights packed along
another axis make a network that runs as fast, and answers wrong. Each row of `PERMUTATIONS` is one
line of the compiler that permutes, and that line with the permutation inverted. In a copy of the
repository every line is inverted by itself, and the tests beside it have to fail.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOADED_ONCE = ("numpy", "onnx", "onnxruntime", "torch", "tvm.relax", "scipy.stats", "xgboost")


@dataclass(frozen=True)
class Permutation:
    """`line` of `file` is where it is done, `inverted` the same the wrong way round.

    `tests` are what has to notice: a file below tests/, and words of its tests for pytest's -k.
    """

    what: str
    file: str
    line: str
    inverted: str
    tests: tuple[str, str]


# fmt: off
PERMUTATIONS = (
    Permutation("a shuffle as numbers of channels", "compile/passes/shuffle.py",
                ".reshape(rows, channels // rows).T", ".reshape(channels // rows, rows).T",
                ("test_shuffle", "numpys")),
    Permutation("a shuffle as operators", "compile/passes/shuffle.py",
                "(batch, rows, channels // rows, height, width)",
                "(batch, channels // rows, rows, height, width)",
                ("test_shuffle", "behind_the_depthwise")),
    Permutation("which shuffle a match is", "compile/passes/shuffle.py",
                "return split[1]", "return split[2]", ("test_fuse_pointwise", "in_its_kernel")),
    Permutation("depthwise weights behind which a shuffle moves", "compile/passes/shuffle.py",
                "np.argsort(shuffled_from(channels, rows))", "shuffled_from(channels, rows)",
                ("test_shuffle", "behind_the_depthwise")),
    Permutation("an unfused shuffle of channels in the lanes", "compile/passes/shuffle.py",
                "(batch, height, width, rows, channels // rows)",
                "(batch, height, width, channels // rows, rows)",
                ("test_shuffle", "stays_a_copy")),
    Permutation("a shuffle as a store index", "compile/passes/fuse_pointwise.py",
                "shuffle_rows=behind", "shuffle_rows=outputs // behind if behind > 1 else 1",
                ("test_fuse_pointwise", "in_its_kernel")),
    Permutation("a shuffle as a load index", "compile/passes/fuse_pointwise.py",
                "load_rows=before",
                "load_rows=groups * shape_of(conv.args[1])[1] // before if before > 1 else 1",
                ("test_fuse_pointwise", "in_its_kernel")),
    Permutation("where a shuffled store goes", "compile/schedules/pointwise_workload.py",
                "channel % per_row * self.shuffle_rows + channel // per_row",
                "channel % self.shuffle_rows * per_row + channel // self.shuffle_rows",
                ("test_pointwise_workload", "behind")),
    Permutation("where a shuffled load comes from", "compile/schedules/pointwise_workload.py",
                "channel % self.load_rows * per_row + channel // self.load_rows",
                "channel % per_row * self.load_rows + channel // per_row",
                ("test_pointwise_workload", "before")),
    Permutation("weights of a pointwise kernel", "compile/schedules/pointwise.py",
                "start + size].transpose(0, 2, 1)",
                "start + size].reshape(workload.groups, workload.inputs, size)",
                ("test_pointwise", "every_shape")),
    Permutation("weights of a window, planes", "compile/schedules/window.py",
                ".transpose(0, 2, 3, 4, 1)",
                ".reshape(workload.groups, workload.inputs, *workload.kernel, tile.channels)",
                ("test_window", "every_window")),
    Permutation("weights of a window, channels", "compile/schedules/window_channels.py",
                ".transpose(0, 3, 4, 2, 1)",
                ".reshape(workload.groups, *workload.kernel, workload.inputs, tile.width)",
                ("test_window_channels", "every_window")),
    Permutation("weights of a depthwise window, channels", "compile/schedules/window_channels.py",
                "weights[:, 0].transpose(1, 2, 0)", "weights[:, 0].transpose(2, 1, 0)",
                ("test_window_channels", "every_window")),
    Permutation("weights of the stem and its pool", "compile/schedules/stem_pool.py",
                "split.transpose(0, 2, 3, 4, 1)", "split.transpose(0, 2, 4, 3, 1)",
                ("test_stem_pool", "every_size")),
    Permutation("weights of the stem and its pool, channels",
                "compile/schedules/stem_pool_channels.py",
                "split.transpose(0, 3, 4, 2, 1)", "split.transpose(0, 4, 3, 2, 1)",
                ("test_stem_pool_channels", "every_size")),
    Permutation("weights of a dense layer in tiles", "compile/schedules/dense.py",
                "np.ascontiguousarray(weights[s : s + tile.width].T)",
                "weights[s : s + tile.width].reshape(workload.inputs, tile.width)",
                ("test_dense", "every_shape")),
    Permutation("weights of a dense layer, as frameworks have them", "compile/passes/fuse_dense.py",
                "matched[form.weights].value.numpy().T",
                "matched[form.weights].value.numpy().reshape(-1, matched[form.weights]"
                ".value.shape[0])",
                ("test_fuse_dense", "bias_and_relu")),
    Permutation("weights packed again for a record", "compile/schedules/packing.py",
                "weights.reshape(-1)[places[there] - 1] = packed[there]",
                "weights.reshape(-1)[:] = packed.reshape(-1)[: weights.size]",
                ("test_lower", "new_decisions")),
    Permutation("weights of int8, inputs side by side", "compile/schedules/int8_gemm.py",
                ".transpose(0, 2, 1, 3)", ".transpose(0, 2, 3, 1)",
                ("test_int8_kernels", "whole_numbers")),
    Permutation("weights of a dense layer of int8", "compile/schedules/int8_head.py",
                ".transpose(0, 2, 1, 3)", ".transpose(0, 2, 3, 1)",
                ("test_int8_kernels", "whole_numbers and dense")),
    Permutation("planes to channels, before a kernel", "compile/passes/rewriting.py",
                "relax.op.permute_dims(x, TO_CHANNELS)", "relax.op.permute_dims(x, TO_PLANES)",
                ("test_shuffle", "stays_a_copy")),
    Permutation("channels to planes, behind a kernel", "compile/passes/rewriting.py",
                "(batch, rows, columns, channels)), TO_PLANES)",
                "(batch, rows, columns, channels)), (0, 3, 2, 1))",
                ("test_shuffle", "stays_a_copy")),
    Permutation("a constant beside changed tensors", "compile/passes/layouts.py",
                "values.transpose(TO_CHANNELS)", "values.transpose(0, 3, 2, 1)",
                ("test_layouts", "sums_and_concats")),
    Permutation("a change of layout that meets its inverse", "compile/passes/layouts.py",
                "_is_permute(call, TO_CHANNELS)", "_is_permute(call, TO_PLANES)",
                ("test_layouts", "cancel")),
    Permutation("the parts of a concat whose changes cancel", "compile/passes/layouts.py",
                "operands = list(call.args[0].fields)",
                "operands = list(call.args[0].fields)[::-1]",
                ("test_layouts", "sums_and_concats")),
    Permutation("the halves of a concat, in place", "compile/passes/in_place.py",
                "for half in halves:\n            workload =",
                "for half in halves[::-1]:\n            workload =",
                ("test_in_place", "both_halves")),
    Permutation("the parts of a concat behind a ReLU", "compile/passes/relus.py",
                "for part in bound.args[0].fields\n            ]",
                "for part in reversed(bound.args[0].fields)\n            ]",
                ("test_relus", "moves_or_vanishes")),
    Permutation("which shuffle a chain of moves is", "compile/frontend/moves.py",
                "channels // int(order[1])", "int(order[1])", ("test_moves", "by_its_groups")),
    Permutation("a chain of moves that ends in NHWC", "compile/frontend/moves.py",
                "index.transpose(0, 3, 1, 2)", "index.transpose(0, 3, 2, 1)",
                ("test_moves", "by_its_groups")),
    Permutation("a transpose in a chain of moves", "compile/frontend/moves.py",
                "None if axes is None else [int(axis) for axis in axes]",
                "None if axes is None else np.argsort([int(axis) for axis in axes])",
                ("test_planes", "nhwc")),
    Permutation("parts of a concat in a chain of moves", "compile/frontend/moves.py",
                "np.concatenate(indices,", "np.concatenate(indices[::-1],",
                ("test_onnx_dialects", "same_graph")),
    Permutation("a graph of NHWC, its change behind it", "compile/frontend/planes.py",
                "permute_dims(self.builder_.emit(planes), TO_CHANNELS)",
                "permute_dims(self.builder_.emit(planes), (0, 3, 2, 1))",
                ("test_planes", "vanish")),
    Permutation("the parts of a concat of NHWC", "compile/frontend/planes.py",
                "for part in call.args[0].fields]", "for part in reversed(call.args[0].fields)]",
                ("test_planes", "vanish")),
    Permutation("a constant of NHWC", "compile/frontend/planes.py",
                "nhwc.transpose(TO_PLANES)", "nhwc.transpose(0, 3, 2, 1)",
                ("test_planes", "vanish")),
    Permutation("the border of NHWC", "compile/frontend/planes.py",
                "widths[list(TO_PLANES)]", "widths[[0, 3, 2, 1]]", ("test_planes", "vanish")),
    Permutation("a picture of NHWC, in the graph", "compile/frontend/onnx_constants.py",
                "TO_CHANNELS_LAST = (0, 2, 3, 1)", "TO_CHANNELS_LAST = (0, 3, 2, 1)",
                ("test_onnx_dialects", "leaves_nothing or templates_alone")),
    Permutation("rows and columns of a picture of NHWC", "compile/frontend/onnx_file.py",
                "return batch, channels, height, width", "return batch, channels, width, height",
                ("test_onnx_file", "channels_last")),
    Permutation("begins and ends of an ONNX border", "compile/frontend/onnx_operators.py",
                "= pads.T", "= pads[::-1].T", ("test_onnx_operators", "numbers")),
    Permutation("the sides of a border that becomes padding", "compile/frontend/pads.py",
                "return [top, left, bottom, right]", "return [left, top, right, bottom]",
                ("test_pads", "border_before")),
)
# fmt: on


def main() -> None:
    """A line for each permutation: who noticed; exits 1 where nobody did."""
    parser = argparse.ArgumentParser(prog="python -m tests.permutations", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", default=[""], metavar="WORDS", help="those with these in their name")
    only = parser.parse_args().only
    chosen = [each for each in PERMUTATIONS if any(words in each.what for words in only)]
    for package in LOADED_ONCE:
        importlib.import_module(package)
    missed = []
    with tempfile.TemporaryDirectory(prefix="permutations-") as folder:
        copy = _copied(Path(folder))
        for permutation in chosen:
            noticed = _is_noticed(permutation, copy)
            name, words = permutation.tests
            verdict = f"tests/{name}.py -k '{words}'" if noticed else "NOBODY"
            print(f"{permutation.what} ({permutation.file}): noticed by {verdict}", flush=True)
            missed += [] if noticed else [permutation.what]
    sys.exit(f"held by no test: {', '.join(missed)}" if missed else 0)


def inverted(permutation: Permutation, root: Path = ROOT) -> str:
    """The file with the permutation inverted; raises `ValueError` unless its line is there once."""
    text = (root / permutation.file).read_text(encoding="utf-8")
    if text.count(permutation.line) != 1:
        raise ValueError(
            f"{permutation.file} holds {permutation.line!r} {text.count(permutation.line)} times"
        )
    return text.replace(permutation.line, permutation.inverted)


def _copied(folder: Path) -> Path:
    """The tracked files as they are now."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def _is_noticed(permutation: Permutation, copy: Path) -> bool:
    """Whether a test fails; one that cannot even be collected is no witness."""
    path = copy / permutation.file
    before = path.read_text(encoding="utf-8")
    path.write_text(inverted(permutation, copy), encoding="utf-8")
    try:
        return _exit_code(copy, *permutation.tests) == 1
    finally:
        path.write_text(before, encoding="utf-8")


def _exit_code(copy: Path, name: str, words: str) -> int:
    """Of pytest, in a fork of this process, which has the large packages loaded."""
    child = os.fork()
    if child == 0:
        os._exit(_run_tests(copy, name, words))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run_tests(copy: Path, name: str, words: str) -> int:
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    del sys.modules["tests"]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", words]
    return int(pytest.main([f"tests/{name}.py", *options]))


if __name__ == "__main__":
    main()
