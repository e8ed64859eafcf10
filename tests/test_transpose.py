"""A square of values is transposed in registers."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.spans import span
from compile.schedules.transpose import transposed


@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_rows_become_columns(count: int) -> None:
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("main")
        x, y = (T.arg(name, T.Buffer((count, count), "float32")) for name in "XY")
        every = span(0, count)
        for i, column in enumerate(transposed([x[i, every] for i in range(count)])):
            T.buffer_store(y, column, [i, every])
    values = np.arange(count * count, dtype=np.float32).reshape(count, count)
    tensors = [tvm.runtime.tensor(each) for each in (values, np.zeros_like(values))]
    tvm.compile(builder.get(), target="llvm")["main"](*tensors)
    np.testing.assert_array_equal(tensors[1].numpy(), values.T)
