"""Kernels on a board are timed one by one, near and over RPC, and end with their session."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tvm
from tvm import te

from compile.library import build_kernels
from compile.link import find_linker
from compile.targets import host_target
from deploy_rpc.board_spec import BoardError
from deploy_rpc.session import Session, open_session
from deploy_rpc.session_kernels import KernelProgram, KernelTensor
from deploy_rpc.session_program import PlainProgram
from tests.test_session import rpc_server

TENSORS = {"double": [KernelTensor((3, 8))] * 2, "add": [KernelTensor((8,))] * 3}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    x, a, b = te.placeholder((3, 8)), te.placeholder((8,)), te.placeholder((8,))
    kernels = {
        "double": te.create_prim_func([x, te.compute((3, 8), lambda i, j: 2.0 * x[i, j])]),
        "add": te.create_prim_func([a, b, te.compute((8,), lambda i: a[i] + b[i])]),
    }
    path = tmp_path_factory.mktemp("kernels") / "kernels.so"
    build_kernels(kernels, host_target(), find_linker("auto", host_target()), path)
    return path


def check(session: Session, library: Path) -> None:
    kernels = session.load_kernels(library, TENSORS)
    for name in TENSORS:
        assert 0 < kernels.time_s(name, calls=3) < 1
    double = [tensor.numpy() for tensor in kernels.program._tensors["double"]]
    np.testing.assert_array_equal(double[1], 2 * double[0])


def test_kernels_run_and_are_timed_on_this_machine(library: Path) -> None:
    with open_session("local") as session:
        check(session, library)


def test_kernels_run_and_are_timed_over_rpc(library: Path) -> None:
    with rpc_server() as (board, _), open_session(board, timeout_s=20) as session:
        check(session, library)


def test_a_kernel_that_the_library_lacks_is_a_board_error(library: Path) -> None:
    with open_session("local") as session:
        kernels = session.load_kernels(library, TENSORS | {"halve": [KernelTensor((1,))] * 2})
        with pytest.raises(BoardError, match="timing the kernel halve failed"):
            kernels.time_s("halve", calls=1)


def kernels_used(module: object) -> KernelProgram:
    program = KernelProgram(module, tvm.cpu(), {"main": [KernelTensor((2,))] * 2})
    for calls in (1, 5, 5, 1):
        program.run("main", [np.ones(2, np.float32)] * 2)
        assert program.time_s("main", calls) == 1
    return program


def library_used(module: object) -> PlainProgram:
    program = PlainProgram(module, tvm.cpu(), [(2,)])
    for runs in (1, 5, 5, 1):
        program.run(np.ones(2, np.float32))
        assert program.time_s(np.ones(2, np.float32), 1, runs) == [1]
    return program


def test_a_library_is_timed_by_so_many_runs_between_two_looks_at_the_clock() -> None:
    class Module(dict):
        def time_evaluator(
            self, _: str, *, dev: tvm.runtime.Device, number: int, repeat: int
        ) -> Callable[..., SimpleNamespace]:
            return lambda *_: SimpleNamespace(results=[float(number)] * repeat)

    program = PlainProgram(Module(), tvm.cpu(), [(2,)])
    assert program.time_s(np.ones(2, np.float32), repeats=3, runs=5) == [5.0] * 3


@pytest.mark.parametrize("used", [kernels_used, library_used])
def test_nothing_is_freed_on_a_board_before_its_program_is(used: Callable[..., object]) -> None:
    class OnTheBoard:
        def __call__(self, *_: object) -> SimpleNamespace:
            return SimpleNamespace(results=[1.0])

    made = []

    def make(*_: object, **__: object) -> OnTheBoard:
        made.append(weakref.ref(there := OnTheBoard()))
        return there

    program = used(type("Module", (), {"__getitem__": make, "time_evaluator": make})())
    assert [each() is None for each in made] == [False] * 3  # a function, and two timers
    del program
    assert all(each() is None for each in made)


def test_kernels_end_with_their_session(library: Path) -> None:
    with open_session("local") as session:
        kernels = session.load_kernels(library, TENSORS)
    assert kernels.program is None
    with pytest.raises(BoardError, match="the session is closed"):
        kernels.time_s("add", calls=1)


def test_a_board_without_times_says_so(library: Path) -> None:
    with open_session("local") as session:
        kernels = session.load_kernels(library, TENSORS)
        session.kind_of_time = None  # as on an emulated board
        with pytest.raises(BoardError, match="has no times"):
            kernels.time_s("add", calls=1)
