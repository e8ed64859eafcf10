"""Canonical Relax: one function `main`, one picture in, tensors out, planes, no dead bindings."""

from __future__ import annotations

from collections.abc import Mapping

import tvm
from tvm import relax

from compile.frontend.pads import into_padding
from compile.frontend.planes import into_planes
from compile.passes.rewriting import CLEAN_BINDINGS
from model.errors import InputError
from model.outputs import Output


class UnsupportedNetworkError(InputError):
    """A network that imports, but is not of the form this compiler takes."""


def canonicalise(module: tvm.IRModule) -> tvm.IRModule:
    """Pictures as planes, every shuffle in one form, borders as paddings, no bindings for nothing.

    Raises `UnsupportedNetworkError` unless exactly one float32 tensor of static shape comes in, and
    such tensors go out.
    """
    module = CLEAN_BINDINGS(into_planes(CLEAN_BINDINGS(module)))
    module = CLEAN_BINDINGS(into_padding(module))
    parameters = module["main"].params
    if len(parameters) != 1:
        raise UnsupportedNetworkError(f"expected one input tensor, got {len(parameters)}")
    _static_shape(parameters[0].ty, "input")
    output_shapes(module)
    return module


def output_shapes(module: tvm.IRModule) -> list[tuple[int, ...]]:
    """The shape of each tensor that `main` returns; raises `UnsupportedNetworkError`."""
    result = module["main"].body.ty
    fields = result.fields if isinstance(result, relax.TupleType) else [result]
    return [_static_shape(field, "output") for field in fields]


def named_outputs(module: tvm.IRModule, names: Mapping[str, int | None]) -> tuple[Output, ...]:
    """What `main` returns, by `names` and their strides in order; raises as `output_shapes` does.

    Tensors that `main` returns beyond those, which nobody has named, are an error, too.
    """
    shapes = output_shapes(module)
    if len(shapes) != len(names):
        raise UnsupportedNetworkError(f"expected {len(names)} output tensor(s), got {len(shapes)}")
    return tuple(
        Output(name, shape, stride)
        for (name, stride), shape in zip(names.items(), shapes, strict=True)
    )


def _static_shape(kind: relax.Type, role: str) -> tuple[int, ...]:
    """The shape of a float32 tensor; `role` names it in errors."""
    if not isinstance(kind, relax.TensorType):
        raise UnsupportedNetworkError(f"expected every {role} to be a tensor, got {kind}")
    if str(kind.dtype) != "float32":
        raise UnsupportedNetworkError(f"expected a float32 {role}, got {kind.dtype}")
    shape = kind.shape
    if shape is None or not all(isinstance(extent, tvm.tirx.IntImm) for extent in shape):
        raise UnsupportedNetworkError(
            f"expected a static {role} shape, got {shape}; fix it with --input-size"
        )
    return tuple(int(extent) for extent in shape)
