"""A TensorFlow Lite file, put together tensor by tensor and operator by operator.

The schema is the one in the runtime's own wheel, whose objects write themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import write_model

PRECISION = "reduced_precision_support"  # name of the metadata that XNNPACK reads
SIGNATURE = "serving_default"  # as converters call the one that a file has
VERSION = 3  # of the file format
LAST_OLD_CODE = 127  # greater codes of operators do not fit the field that old runtimes read
TYPES = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}


class TfliteModel:
    """One graph, whose tensors are known by their index."""

    def __init__(self) -> None:
        self._buffers = [schema.BufferT()]  # the first, without data, of all that is computed
        self._graph = schema.SubGraphT(tensors=[], inputs=[], outputs=[], operators=[], name="main")
        self._kinds: dict[str, int] = {}
        self._metadata: list[schema.MetadataT] = []

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Of `tensor`."""
        return tuple(self._graph.tensors[tensor].shape)

    def input(self, name: str, shape: Sequence[int]) -> int:
        """A float32 tensor that whoever runs the graph gives."""
        tensor = self._tensor(name, shape)
        self._graph.inputs.append(tensor)
        return tensor

    def constant(self, values: np.ndarray) -> int:
        """A tensor of `values`, which are float32 or int32."""
        buffer = self._buffer(values)
        return self._tensor(f"constant{buffer}", values.shape, values.dtype.name, buffer)

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        options: object | None = None,
    ) -> int:
        """The float32 tensor of `shape` that an operator makes of `inputs`.

        `kind` is a name of the schema's `BuiltinOperator`, `options` one of its objects of options.
        """
        operators = self._graph.operators
        output = self._tensor(f"{kind.lower()}{len(operators)}", shape)
        code = self._kinds.setdefault(kind, len(self._kinds))
        operator = schema.OperatorT(opcodeIndex=code, inputs=list(inputs), outputs=[output])
        if options is not None:
            table = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = options
        operators.append(operator)
        return output

    def allow(self, precision: bytes) -> None:
        """Lets the runtime compute in less than float32, in `precision` as its sources spell it."""
        buffer = self._buffer(np.frombuffer(precision, np.uint8))
        self._metadata.append(schema.MetadataT(name=PRECISION, buffer=buffer))

    def write(self, path: Path, output: int) -> None:
        """Writes the graph, which answers with tensor `output`, and its signature."""
        self._graph.outputs = [output]
        signature = schema.SignatureDefT(
            inputs=self._named(self._graph.inputs),
            outputs=self._named(self._graph.outputs),
            signatureKey=SIGNATURE,
        )
        model = schema.ModelT(
            version=VERSION,
            operatorCodes=[_code(kind) for kind in self._kinds],
            subgraphs=[self._graph],
            buffers=self._buffers,
            metadata=self._metadata,
            signatureDefs=[signature],
        )
        write_model(model, path)

    def _named(self, tensors: Sequence[int]) -> list[schema.TensorMapT]:
        named = ((self._graph.tensors[tensor].name, tensor) for tensor in tensors)
        return [schema.TensorMapT(name=name, tensorIndex=tensor) for name, tensor in named]

    def _buffer(self, values: np.ndarray) -> int:
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self._buffers.append(schema.BufferT(data=data))
        return len(self._buffers) - 1

    def _tensor(
        self, name: str, shape: Sequence[int], dtype: str = "float32", buffer: int = 0
    ) -> int:
        tensor = schema.TensorT(shape=list(shape), type=TYPES[dtype], buffer=buffer, name=name)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1


def _code(kind: str) -> schema.OperatorCodeT:
    code = getattr(schema.BuiltinOperator, kind)
    return schema.OperatorCodeT(
        builtinCode=code, deprecatedBuiltinCode=min(code, LAST_OLD_CODE), version=1
    )
