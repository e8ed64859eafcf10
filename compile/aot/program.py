"""What a network does, step by step: which kernel runs on which memory.

    lv = call_tir(f, x, W); lv1 = reshape(lv); lv2 = call_tir_inplace(g, y, lv1)
      ->  f(input, constant 0, tensor 0); g(tensor 1, tensor 0)

A reshape and a kernel that works in place make no memory of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from model.errors import InputError

INPUT, OUTPUT, CONSTANT, TENSOR = "input", "output", "constant", "tensor"


class ProgramError(InputError):
    """A module that is more than a sequence of kernels on tensors of static shape."""


@dataclass(frozen=True)
class Memory:
    """Where an operand lies: the caller's input, one of the caller's outputs, a constant, or a
    tensor in between."""

    kind: str
    index: int = 0


@dataclass(frozen=True)
class Step:
    """One call of a kernel; its operands in the order of its parameters."""

    kernel: str
    operands: tuple[Memory, ...]


@dataclass(frozen=True)
class Program:
    """All steps of one inference, the bytes of each tensor in between, and the constants."""

    steps: tuple[Step, ...]
    outputs: int
    tensor_bytes: tuple[int, ...]
    constants: tuple[np.ndarray, ...]


def read_program(module: tvm.IRModule) -> Program:
    """The program of `main`, whose bindings are kernel calls and reshapes only.

    Its one parameter is the input and the tensors it returns the outputs. Raises `ProgramError`.
    """
    return _Reader(module["main"]).program()


class _Reader:
    def __init__(self, main: relax.Function) -> None:
        self._main = main
        self._memory: dict[relax.Var, tuple[Memory, ...]] = {main.params[0]: (Memory(INPUT),)}
        self._tensor_bytes: list[int] = []
        self._constants: list[np.ndarray] = []
        self._constant_at: dict[tvm.ir.Constant, Memory] = {}
        self._steps: list[Step] = []

    def program(self) -> Program:
        for block in self._main.body.blocks:
            for binding in block.bindings:
                self._memory[binding.var] = self._value(binding.value)
        return self._with_outputs(self._value(self._main.body.body))

    def _value(self, value: relax.Expr) -> tuple[Memory, ...]:
        """The memory that `value` lies in, one for each field of a tuple; records its step."""
        operator = value.op.name if isinstance(value, tvm.ir.Call) else ""
        if operator == "relax.reshape":
            return self._value(value.args[0])
        if operator == "relax.call_tir":
            results = tuple(self._new_tensor(field) for field in _fields(value.ty))
            self._add_step(value, results)
            return results
        if operator == "relax.call_tir_inplace":
            operands = self._add_step(value, ())
            return tuple(operands[int(index)] for index in value.attrs.inplace_indices)
        if isinstance(value, relax.Var):
            return self._memory[value]
        if isinstance(value, tvm.ir.Constant):
            return (self._constant(value),)
        if isinstance(value, relax.Tuple):
            return tuple(self._one(field) for field in value.fields)
        if isinstance(value, relax.TupleGetItem):
            return (self._value(value.tuple_value)[value.index],)
        raise ProgramError(
            f"expected calls of kernels only, got {operator or type(value).__name__}; the level "
            "stock can build such a network, with a runtime"
        )

    def _add_step(self, call: tvm.ir.Call, results: tuple[Memory, ...]) -> tuple[Memory, ...]:
        operands = (*(self._one(operand) for operand in call.args[1].fields), *results)
        self._steps.append(Step(call.args[0].name_hint, operands))
        return operands

    def _one(self, value: relax.Expr) -> Memory:
        memory = self._value(value)
        if len(memory) != 1:
            raise ProgramError(f"expected one tensor, got a tuple of {len(memory)}")
        return memory[0]

    def _new_tensor(self, of: relax.TensorType) -> Memory:
        self._tensor_bytes.append(_bytes(of))
        return Memory(TENSOR, len(self._tensor_bytes) - 1)

    def _constant(self, constant: tvm.ir.Constant) -> Memory:
        if constant not in self._constant_at:
            self._constant_at[constant] = Memory(CONSTANT, len(self._constants))
            self._constants.append(constant.value.numpy())
        return self._constant_at[constant]

    def _with_outputs(self, results: tuple[Memory, ...]) -> Program:
        """The tensors that `main` returns become the caller's outputs."""
        for result in results:
            if result.kind != TENSOR:
                raise ProgramError(f"the network computes nothing: it returns its {result.kind}")
        if len(set(results)) < len(results):
            raise ProgramError(
                "two outputs of the network are the same values under two names, or reshaped: "
                "leave one of them away"
            )
        places = {result: Memory(OUTPUT, index) for index, result in enumerate(results)}
        steps = tuple(
            Step(step.kernel, tuple(places.get(memory, memory) for memory in step.operands))
            for step in self._steps
        )
        sizes = list(self._tensor_bytes)
        for result in results:
            sizes[result.index] = 0
        return Program(steps, len(results), tuple(sizes), tuple(self._constants))


def _fields(of: relax.Type) -> Iterator[relax.TensorType]:
    if isinstance(of, relax.TupleType):
        yield from of.fields
    else:
        yield of


def _bytes(of: relax.TensorType) -> int:
    if not all(isinstance(extent, tvm.tirx.IntImm) for extent in of.shape):
        raise ProgramError(f"expected a static shape, got {of.shape}")
    return math.prod(int(extent) for extent in of.shape) * np.dtype(str(of.dtype)).itemsize
