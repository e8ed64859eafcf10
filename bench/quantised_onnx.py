"""An ONNX file made int8 by ONNX Runtime's own quantiser, as its documentation has it for the CPU.

QuantizeLinear and DequantizeLinear stand around every operator (QDQ, "strongly preferred over
QOperator for CPU inference"), weights are int8 with a scale for each channel, ranges reach from the
least to the largest value seen. Activations are uint8 and weights of 7 bits (`reduce_range`), as
`quantize_static` of ONNX Runtime 1.32 recommends for x86 without VNNI: there the products of two
pairs are added in int16, which would else saturate.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx


def quantise_onnx(model: Path, inputs: Sequence[np.ndarray], quantised: Path) -> None:
    """Writes `model`, of one float32 input, to `quantised`, calibrated on `inputs`."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = quantised.with_suffix(".prepared.onnx")
    with _without_advice():
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(quantised),
            _reader(prepared, inputs),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
    prepared.unlink()


def _reader(model: Path, inputs: Sequence[np.ndarray]) -> object:
    """`inputs` as the quantiser asks for them, one after the other."""
    from onnxruntime.quantization import CalibrationDataReader

    (given,) = onnx.load(model).graph.input
    values = iter(inputs)

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            x = next(values, None)
            return None if x is None else {given.name: x}

    return Reader()


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """The quantiser logs what it recommends of itself through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
