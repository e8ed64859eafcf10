"""Canonical Relax: one function `main`, one tensor in, one out, planes, no dead bindings."""

from __future__ import annotations

import tvm
from tvm import relax

from compile.frontend.pads import into_padding
from compile.frontend.planes import into_planes
from model.errors import InputError


class UnsupportedNetworkError(InputError):
    """A network that imports, but is not of the form this compiler takes."""


def canonicalise(module: tvm.IRModule) -> tvm.IRModule:
    """Pictures as planes, every shuffle in one form, borders as paddings, no bindings for nothing.

    Raises `UnsupportedNetworkError` unless exactly one float32 tensor of static shape comes in and
    one goes out.
    """
    clean = tvm.ir.transform.Sequential(
        [relax.transform.CanonicalizeBindings(), relax.transform.DeadCodeElimination()]
    )
    module = clean(into_padding(clean(into_planes(clean(module)))))
    static_shape(module["main"].params, "input")
    static_shape([module["main"].body], "output")
    return module


def static_shape(tensors: list[relax.Expr], role: str) -> tuple[int, ...]:
    """The shape of the only tensor of `tensors`; `role` names it in errors."""
    if len(tensors) != 1:
        raise UnsupportedNetworkError(f"expected one {role} tensor, got {len(tensors)}")
    kind = tensors[0].ty
    if not isinstance(kind, relax.TensorType):
        raise UnsupportedNetworkError(f"expected one {role} tensor, got {kind}")
    if str(kind.dtype) != "float32":
        raise UnsupportedNetworkError(f"expected a float32 {role}, got {kind.dtype}")
    shape = kind.shape
    if shape is None or not all(isinstance(extent, tvm.tirx.IntImm) for extent in shape):
        raise UnsupportedNetworkError(
            f"expected a static {role} shape, got {shape}; fix it with --input-size"
        )
    return tuple(int(extent) for extent in shape)
