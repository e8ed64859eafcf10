"""How threads share loops: all of it, once, and as evenly as the number of walks allows."""

import contextlib

import numpy as np
import pytest
import tvm
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.threads import shares_of, unevenness


def walked(count: int, threads: int, walks: int) -> np.ndarray:
    """By thread, walk and place how often a thread was there, as compiled code counts it."""
    shape = (threads, walks, count)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("main")
        y = T.arg("Y", T.Buffer(shape, "int32"))
        with T.serial(threads) as thread, T.serial(walks) as walk:
            _count(y, count, threads, thread, walk)
    library = tvm.compile(builder.get(), target="llvm")
    times = tvm.runtime.tensor(np.zeros(shape, "int32"))
    library(times)
    return times.numpy()


def _count(y: tirx.Buffer, count: int, threads: int, thread: tirx.Expr, walk: tirx.Expr) -> None:
    with pytest.MonkeyPatch.context() as patch:  # this thread's number, not a loop of TVM's
        patch.setattr(T, "parallel", lambda _: contextlib.nullcontext(thread))
        with shares_of(count, threads) as share_in:
            begin, end = share_in(walk)
    with T.serial(end - begin) as step:
        at = [thread, walk, begin + step]
        T.buffer_store(y, y[at] + 1, at)


@pytest.mark.parametrize(
    ("count", "threads", "walks"), [(7, 2, 15), (7, 3, 4), (1, 2, 6), (10, 4, 3)]
)
def test_every_place_is_walked_once_and_no_thread_does_much_more(
    count: int, threads: int, walks: int
) -> None:
    times = walked(count, threads, walks)
    assert (times.sum(axis=0) == 1).all()
    longest = times.sum(axis=(1, 2)).max() * threads / (count * walks)
    assert longest == pytest.approx(unevenness(count, threads, walks))


def test_as_many_walks_as_threads_are_shared_evenly() -> None:
    assert unevenness(7, 2) == pytest.approx(8 / 7)
    assert unevenness(7, 2, walks=2) == 1
    assert unevenness(7, 2, walks=3) == pytest.approx(22 / 21)
