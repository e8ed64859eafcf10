"""Canonical Relax: one function `main`, one tensor in, one tensor out, no dead bindings."""

from __future__ import annotations

import tvm
from tvm import relax

from model.errors import InputError


class UnsupportedNetworkError(InputError):
    """A network that imports, but is not of the form this compiler takes."""


def canonicalise(module: tvm.IRModule) -> tvm.IRModule:
    """Unwraps a 1-tuple result and removes bindings that nothing uses.

        def main(x): ...; gv = (lv30,); return gv     ->     def main(x): ...; return lv30

    Raises `UnsupportedNetworkError` unless exactly one float32 tensor of static shape comes in and
    one goes out.
    """
    module = _unwrap_single_output(module)
    passes = [relax.transform.CanonicalizeBindings(), relax.transform.DeadCodeElimination()]
    module = tvm.ir.transform.Sequential(passes)(module)
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


def _unwrap_single_output(module: tvm.IRModule) -> tvm.IRModule:
    main = module["main"]
    if not isinstance(main.body.ty, relax.TupleType) or len(main.body.ty.fields) != 1:
        return module
    body = relax.SeqExpr(main.body.blocks, relax.TupleGetItem(main.body.body, 0))
    unwrapped = relax.Function(main.params, body, attrs=main.attrs)
    return relax.transform.Normalize()(tvm.IRModule({"main": unwrapped}, attrs=module.attrs))
