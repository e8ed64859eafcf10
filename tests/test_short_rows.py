"""Rows shorter than a vector are loaded and stored as one, and nothing beside them is touched."""

from __future__ import annotations

import ctypes
import dataclasses
import mmap
import os

import numpy as np
import pytest
import tvm

from compile.schedules.short_rows import is_short
from compile.schedules.templates import made_by_default
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import find_core
from tests.cores import A72

N1 = find_core("neoverse-n1")
HALF = {"dtype": "float16", "result_dtype": "float16"}
PROT_NONE = 0

DEPTHWISE = WindowWorkload("conv", 32, 1, 1, (7, 7), (3, 3), 1, (1, 1), **HALF)
HALVED = dataclasses.replace(DEPTHWISE, size=(14, 14), stride=2)
KERNELS = {  # 32 channels are a multiple of 64 bytes, and end where a page ends
    "depthwise": DEPTHWISE,
    "depthwise of stride 2": HALVED,
    "average pool": dataclasses.replace(HALVED, kind="average"),
    "max pool": dataclasses.replace(HALVED, kind="max"),
}


@pytest.mark.parametrize(
    ("rows", "columns", "short"),
    [(7, 7, True), (5, 5, True), (7, 8, False), (7, 4, False), (1, 7, False), (2, 9, False)],
)
def test_more_than_half_a_vector_and_less_than_one_is_short(
    rows: int, columns: int, short: bool
) -> None:
    assert is_short(rows, columns, N1.of("float16")) == short


def test_in_float32_three_columns_are() -> None:
    assert [columns for columns in range(1, 9) if is_short(7, columns, A72)] == [3]


@pytest.mark.parametrize("name", KERNELS)
def test_a_row_takes_one_vector(name: str) -> None:
    assert made_by_default(KERNELS[name], N1, 1).tile.lanes == 8


@pytest.mark.parametrize("name", KERNELS)
def test_threads_write_the_same_bits(name: str) -> None:
    one, three = (output_of(KERNELS[name], threads) for threads in (1, 3))
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("at_end", [True, False], ids=["end", "start"])
def test_nothing_is_read_outside_the_input(name: str, at_end: bool) -> None:
    """A child reads an input with a page that nobody may touch right behind it, or before."""
    child = os.fork()
    if child == 0:
        try:
            output_of(KERNELS[name], 1, guarded=True, at_end=at_end)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_guard_bites() -> None:
    """One value more than there is."""
    child = os.fork()
    if child == 0:
        values = guarded_copy(np.zeros((32, 7, 7), np.float16), at_end=True)
        ctypes.string_at(values.ctypes.data, values.nbytes + 2)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def output_of(
    w: WindowWorkload, threads: int, *, guarded: bool = False, at_end: bool = True
) -> np.ndarray:
    random = np.random.default_rng(0)
    made = dataclasses.replace(made_by_default(w, N1, 1), threads=threads)
    kernel = made.kernel()
    values = [
        random.standard_normal([int(n) for n in b.shape]).astype(np.float16) for b in kernel.params
    ]
    values[-1][:] = np.nan
    tensors = [tvm.runtime.tensor(value) for value in values]
    if guarded:
        tensors[0] = tvm.runtime.from_dlpack(guarded_copy(values[0], at_end=at_end))
    compiled = tvm.compile(kernel.with_attr("global_symbol", "main"), target="llvm")
    compiled["main"](*tensors)
    return tensors[-1].numpy()


def guarded_copy(values: np.ndarray, *, at_end: bool) -> np.ndarray:
    """`values` between two pages that nobody may touch, right beside one of them."""
    page = mmap.PAGESIZE
    pages = -(-values.nbytes // page)
    area = mmap.mmap(-1, (pages + 2) * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    for guard in (start, start + (pages + 1) * page):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(guard), page, PROT_NONE) == 0
    offset = page + (pages * page - values.nbytes if at_end else 0)
    copy = np.frombuffer(area, values.dtype, values.size, offset).reshape(values.shape)
    copy[:] = values
    return copy
