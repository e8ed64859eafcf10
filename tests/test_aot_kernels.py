# ruff: noqa: ANN201, N803 (TVMScript: no Python is run of it)
"""A PrimFunc becomes a C function: no allocation, and each thread does its share."""

from __future__ import annotations

import ctypes
import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import tirx
from tvm.script import tirx as T

from compile.aot.compute import compile_module, exported
from compile.aot.kernels import CKernel, Scratch, as_c_kernel
from compile.link import find_linker
from compile.targets import host_target

SIZE = 3000  # floats: more than a stack should take


@T.prim_func(private=True, s_tir=True)
def doubled_prefix(X: T.Buffer((3000,), "float32"), Y: T.Buffer((3000,), "float32")):
    copy = T.alloc_buffer((3000,))
    for i in range(3000):
        copy[i] = X[i] * 2.0
    for i in T.parallel(3000):
        small = T.alloc_buffer((4,))
        small[0] = copy[i]
        Y[i] = small[0] + copy[2999 - i]


@T.prim_func(private=True, s_tir=True)
def scratch_of_a_thread(X: T.Buffer((3000,), "float32"), Y: T.Buffer((3000,), "float32")):
    for i in T.parallel(3):
        own = T.alloc_buffer((3000,))
        for j in range(3000):
            own[j] = X[j] + 1.0
        for j in range(1000):
            Y[i * 1000 + j] = own[i * 1000 + j]


def expected(kernel: tirx.PrimFunc, x: np.ndarray) -> np.ndarray:
    return 2 * x + 2 * x[::-1] if kernel is doubled_prefix else x + 1


def statements(kernel: CKernel) -> str:
    return kernel.function.script(show_meta=False)


def test_of_one_thread_small_buffers_stay_and_large_ones_are_pointers() -> None:
    kernel = as_c_kernel(doubled_prefix)
    assert kernel.scratch == (Scratch(4 * SIZE, per_thread=False),)
    assert len(kernel.function.params) == 3
    assert statements(kernel).count("alloc_buffer") == 1
    assert "parallel" not in statements(kernel)


def test_of_a_team_one_thread_does_what_is_not_shared_and_the_others_wait() -> None:
    kernel = as_c_kernel(doubled_prefix, "meet")
    assert kernel.scratch == (Scratch(4 * SIZE, per_thread=False),)
    text = statements(kernel)
    assert text.count("thread == 0") == 1
    assert text.count('"meet"') == 1
    assert text.index("thread == 0") < text.index('"meet"') < text.rindex("thread_count")


def test_for_pricing_each_thread_does_what_is_not_shared() -> None:
    text = statements(as_c_kernel(doubled_prefix, "meet", serial_by_all=True))
    assert "thread == 0" not in text
    assert text.index("for i") < text.index('"meet"') < text.rindex("thread_count")


def test_scratch_inside_a_parallel_loop_is_every_thread_s_own() -> None:
    assert as_c_kernel(scratch_of_a_thread, "meet").scratch == (Scratch(4 * SIZE, True),)
    assert as_c_kernel(scratch_of_a_thread).scratch == (Scratch(4 * SIZE, False),)


def library(kernel: CKernel, folder: Path) -> ctypes.CDLL:
    module = compile_module(
        tvm.IRModule({"kernel": exported(kernel.function, "kernel")}), host_target().tvm
    )
    module.write_to_file(str(folder / "kernel.o"), "o")
    path = folder / "kernel.so"
    find_linker("auto", host_target()).link(["kernel.o", "meet.c"], path, folder)
    return ctypes.CDLL(str(path))


MEET = """
extern void (*meeting)(void);
void (*meeting)(void);
int meet(void *team) { (void)team; meeting(); return 0; }
"""


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("kernel", [doubled_prefix, scratch_of_a_thread])
def test_a_team_of_any_size_computes_the_same(
    kernel: tirx.PrimFunc, threads: int, tmp_path: Path
) -> None:
    (tmp_path / "meet.c").write_text(MEET)
    c_kernel = as_c_kernel(kernel, "meet")
    loaded = library(c_kernel, tmp_path)
    barrier = threading.Barrier(threads)
    wait = ctypes.CFUNCTYPE(None)(lambda: barrier.wait() and None)
    ctypes.c_void_p.in_dll(loaded, "meeting").value = ctypes.cast(wait, ctypes.c_void_p).value
    x, y = np.random.default_rng(0).random(SIZE, np.float32), np.zeros(SIZE, np.float32)
    own = np.zeros((threads, SIZE), np.float32)

    def run(thread: int) -> None:
        scratch = own[thread if c_kernel.scratch[0].per_thread else 0]
        pointers = (ctypes.c_void_p(a.ctypes.data) for a in (x, y, scratch))
        loaded.kernel(*pointers, None, ctypes.c_int32(thread), ctypes.c_int32(threads))

    workers = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
    for step, worker in itertools.product(("start", "join"), workers):
        getattr(worker, step)()
    np.testing.assert_array_equal(y, expected(kernel, x))
