# ruff: noqa: ANN201, N805 (TVMScript: no Python is run of it)
"""A sequence of kernel calls becomes a program; anything else is refused by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from compile.aot.program import CONSTANT, INPUT, OUTPUT, TENSOR, Memory, ProgramError, read_program
from tests.graphs import graph


@I.ir_module
class Network:
    @T.prim_func(s_tir=True)
    def double(x: T.Buffer((4,), "float32"), y: T.Buffer((4,), "float32")):
        for i in range(4):
            y[i] = x[i] * 2.0

    @T.prim_func(s_tir=True)
    def add(x: T.Buffer((2, 2), "float32"), y: T.Buffer((2, 2), "float32")):
        for i, j in T.grid(2, 2):
            y[i, j] = y[i, j] + x[i, j]

    @R.function
    def main(x: R.Tensor((4,), "float32")) -> R.Tensor((2, 2), "float32"):
        cls = Network
        with R.dataflow():
            first = R.call_tir(cls.double, (x,), out_ty=R.Tensor((4,), dtype="float32"))
            square = R.reshape(first, R.shape([2, 2]))
            second = R.call_tir(
                cls.double, (R.const([1, 2, 3, 4], "float32"),), out_ty=R.Tensor((4,), "float32")
            )
            other = R.reshape(second, R.shape([2, 2]))
            summed = R.call_tir_inplace(
                cls.add, (square, other), inplace_indices=[1], out_ty=R.Tensor((2, 2), "float32")
            )
            R.output(summed)
        return summed


@I.ir_module
class NotOnlyKernels:
    @R.function
    def main(x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
        with R.dataflow():
            y = R.nn.relu(x)
            R.output(y)
        return y


@I.ir_module
class Nothing:
    @R.function
    def main(x: R.Tensor((4,), "float32")) -> R.Tensor((2, 2), "float32"):
        with R.dataflow():
            y = R.reshape(x, R.shape([2, 2]))
            R.output(y)
        return y


def doublings(returned: Callable[[list[relax.Var]], list[relax.Expr]]) -> tvm.IRModule:
    """Three doublings in a row, of which `main` returns some."""

    def body(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        double = builder.add_func(Network["double"], "double")
        values = [x]
        for _ in range(3):
            call = relax.call_tir(double, [values[-1]], relax.TensorType((4,), "float32"))
            values.append(builder.emit(call))
        return relax.Tuple(returned(values[1:]))

    return graph(body, (4,))


TWICE = doublings(lambda values: [values[2], relax.op.reshape(values[2], (2, 2))])


def test_reshapes_and_calls_in_place_share_memory_and_the_result_is_the_caller_s() -> None:
    program = read_program(Network)
    first, constant = Memory(TENSOR, 0), Memory(CONSTANT, 0)
    assert [(step.kernel, step.operands) for step in program.steps] == [
        ("double", (Memory(INPUT), first)),
        ("double", (constant, Memory(OUTPUT))),
        ("add", (first, Memory(OUTPUT))),
    ]
    assert program.tensor_bytes == (16, 0)
    np.testing.assert_array_equal(program.constants[0], [1, 2, 3, 4])


def test_every_output_is_the_caller_s_and_may_be_read_by_later_steps() -> None:
    program = read_program(doublings(lambda values: [values[2], values[0]]))
    last, first = Memory(OUTPUT, 0), Memory(OUTPUT, 1)
    assert program.outputs == 2
    assert [step.operands for step in program.steps] == [
        (Memory(INPUT), first),
        (first, Memory(TENSOR, 1)),
        (Memory(TENSOR, 1), last),
    ]
    assert program.tensor_bytes == (0, 16, 0)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (NotOnlyKernels, "got relax.nn.relu; the level stock"),
        (Nothing, "returns its input"),
        (TWICE, "two outputs of the network are the same values"),
    ],
)
def test_a_module_that_is_no_sequence_of_kernels_is_refused(
    module: tvm.IRModule, words: str
) -> None:
    with pytest.raises(ProgramError, match=words):
        read_program(module)
