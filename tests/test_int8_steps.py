"""A loop over steps takes each once, in order, however many of them its body has."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_steps import UNROLLS, each_step


@pytest.mark.parametrize("unroll", UNROLLS)
def test_every_step_is_taken_once(unroll: int) -> None:
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("main")
        y = T.arg("Y", T.Buffer((24,), "int32"))
        for step in each_step(24, unroll):
            T.buffer_store(y, y[step] + step, [step])
    taken = tvm.runtime.tensor(np.zeros(24, np.int32))
    tvm.compile(builder.get(), target="llvm")["main"](taken)
    np.testing.assert_array_equal(taken.numpy(), np.arange(24))
