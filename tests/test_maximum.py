"""Maxima and minima are NaN where one operand is, in templates and in kernels of any other kind."""

from __future__ import annotations

from tvm import te, tirx, topi

from compile.schedules.maximum import with_nan


def _written(compute: te.Tensor, x: te.Tensor) -> str:
    return with_nan(te.create_prim_func([x, compute])).script()


def test_a_relu_has_its_constant_first() -> None:
    x = te.placeholder((4, 8), name="x")
    assert "T.max(T.float32(0.0), x[" in _written(topi.nn.relu(x), x)


def test_a_clip_has_both_constants_first() -> None:
    x = te.placeholder((4, 8), name="x")
    assert "T.max(T.float32(0.0), T.min(T.float32(6.0), x[" in _written(topi.clip(x, 0, 6), x)


def test_a_maximum_of_two_values_looks_for_nan() -> None:
    x = te.placeholder((4, 8), name="x")
    y = te.compute((4,), lambda i: tirx.max(x[i, 0], x[i, 1]), name="y")
    assert "T.Select(T.isnan(x[v_i, 1]), x[v_i, 1], T.max(x[v_i, 1], x[v_i, 0]))" in _written(y, x)


def test_integers_are_left_alone() -> None:
    x = te.placeholder((4, 8), "int32", name="x")
    y = te.compute((4,), lambda i: tirx.max(x[i, 0], x[i, 1]), name="y")
    assert "isnan" not in _written(y, x)
