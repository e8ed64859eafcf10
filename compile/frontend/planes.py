"""Every picture as planes: NHWC graphs to NCHW, every shuffle to its one form.

    relu(permute_dims(x, NHWC))                   ->   permute_dims(relu(x), NHWC)
    concat(permute_dims(x, NHWC), .., axis=3)     ->   permute_dims(concat(x, .., axis=1), NHWC)
    mean(permute_dims(x, NHWC), (1, 2))           ->   mean(x, (2, 3))
    permute_dims(permute_dims(x, NHWC), NCHW)     ->   x
    moves that shuffle the channels of x          ->   shuffle(x)        (see `moves`)

shuffle(x) is reshape(permute_dims(reshape(x))), as `compile.passes.shuffle` matches it. Pools and
convolutions are NCHW in ONNX; a graph from TensorFlow has transposes around them, which so sink
until they meet and cancel. What is left alone keeps its transposes, and is right, too.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.frontend.moves import Places, moved, recognised
from compile.passes.rewriting import TO_CHANNELS, TO_PLANES, shape_of
from compile.passes.shuffle import shuffled

PIXELWISE = (
    "relax.nn.relu",
    "relax.clip",
    "relax.add",
    "relax.subtract",
    "relax.multiply",
    "relax.divide",
    "relax.maximum",
    "relax.minimum",
)


def into_planes(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    updated = module.clone()
    updated["main"] = _IntoPlanes(updated).visit_expr(module["main"])
    return relax.transform.DeadCodeElimination()(updated)


@mutator
class _IntoPlanes(PyExprMutator):
    """In order of the bindings; what is overtaken becomes dead code."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._known: dict[relax.Var, Places] = {}

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        given = self.visit_expr_post_order(call)
        if not isinstance(given.op, tvm.ir.Op) or not isinstance(call.ty, relax.TensorType):
            return given
        changed = self._as_move(given, shape_of(call))
        if changed is None:
            changed = self._on_planes(given)
        return given if changed is None else changed

    def _as_move(self, call: relax.Call, shape: tuple[int, ...]) -> relax.Expr | None:
        """The shortest form of the chain of moves that `call` is the last of."""
        places = self._moved(call, shape)
        if places is None:
            return None
        root, move = places.root, recognised(places)
        if move is None:
            is_reshape = np.array_equal(places.index.reshape(-1), np.arange(places.index.size))
            whole = places.index.size == np.prod(shape_of(root))
            return relax.op.reshape(root, shape) if is_reshape and whole else None
        planes = root
        if move.rows > 1:
            planes = self.builder_.emit(shuffled(root, move.rows, shape_of(root)))
        return relax.op.permute_dims(planes, TO_CHANNELS) if move.channels_last else planes

    def _moved(self, call: relax.Call, shape: tuple[int, ...]) -> Places | None:
        operands = call.args[0].fields if call.op.name == "relax.concat" else call.args[:1]
        if not all(_is_tensor(operand) for operand in operands):
            return None
        return moved(call, shape, [self._places(operand) for operand in operands])

    def _places(self, variable: relax.Var) -> Places:
        """Where the values of `variable` come from, back to the last that no move has made."""
        if variable not in self._known:
            bound = self.lookup_binding(variable)
            if isinstance(bound, relax.Var):
                return self._places(bound)
            is_call = isinstance(bound, tvm.ir.Call) and isinstance(bound.op, tvm.ir.Op)
            places = self._moved(bound, shape_of(variable)) if is_call else None
            if places is None:
                shape = shape_of(variable)
                places = Places(variable, np.arange(np.prod(shape)).reshape(shape))
            self._known[variable] = places
        return self._known[variable]

    def _on_planes(self, call: relax.Call) -> relax.Expr | None:
        """`call`, of NHWC operands, on their planes; None where they are none."""
        name = call.op.name
        if name in PIXELWISE:
            operands = [self._operand(operand) for operand in call.args]
            if not any(self._planes(operand) is not None for operand in call.args):
                return None
            if any(operand is None for operand in operands):
                return None
            return self._channels_last(tvm.ir.Call(call.op, operands, call.attrs))
        if name == "relax.concat":
            parts = [self._planes(part) for part in call.args[0].fields]
            if int(call.attrs.axis) not in (3, -1) or any(part is None for part in parts):
                return None
            return self._channels_last(relax.op.concat(parts, axis=1))
        planes = self._planes(call.args[0]) if len(call.args) == 1 else None
        if planes is None:
            return None
        if name == "relax.mean" and {int(axis) % 4 for axis in call.attrs.axis or ()} == {1, 2}:
            mean = relax.op.mean(planes, (2, 3), keepdims=bool(call.attrs.keepdims))
            return self._channels_last(mean) if call.attrs.keepdims else mean
        if name == "relax.nn.pad":
            widths = np.array([int(width) for width in call.attrs.pad_width]).reshape(4, 2)
            widths = widths[list(TO_PLANES)].reshape(-1).tolist()
            mode, value = str(call.attrs.pad_mode), float(call.attrs.pad_value)
            return self._channels_last(relax.op.nn.pad(planes, widths, mode, value))
        return None

    def _operand(self, operand: relax.Expr) -> relax.Expr | None:
        """A pixelwise operator's operand for planes: a tensor, a constant of NHWC, or a number."""
        if isinstance(operand, tvm.ir.Constant):
            values = operand.value.numpy()
            nhwc = values.reshape((1,) * (4 - values.ndim) + values.shape)
            return relax.const(nhwc.transpose(TO_PLANES) if values.size > 1 else values)
        return self._planes(operand) if isinstance(operand, relax.Var) else operand

    def _planes(self, value: relax.Expr) -> relax.Var | None:
        """The NCHW tensor that NHWC `value` is transposed from."""
        bound = self.lookup_binding(value) if isinstance(value, relax.Var) else None
        if isinstance(bound, relax.Var):
            return self._planes(bound)
        if not isinstance(bound, tvm.ir.Call) or bound.op != tvm.ir.Op.get("relax.permute_dims"):
            return None
        axes = tuple(int(axis) for axis in bound.attrs.axes or ())
        return bound.args[0] if axes == TO_CHANNELS else None

    def _channels_last(self, planes: relax.Expr) -> relax.Expr:
        return relax.op.permute_dims(self.builder_.emit(planes), TO_CHANNELS)


def _is_tensor(operand: relax.Expr) -> bool:
    return isinstance(operand, relax.Var) and isinstance(operand.ty, relax.TensorType)
