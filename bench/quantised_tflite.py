"""A TensorFlow Lite file made int8 by LiteRT's own quantiser, by its recipe for whole integers.

Activations are int8 with a scale and a zero point for each tensor, weights int8 with a scale for
each channel, ranges reach from the least to the largest value seen. What goes in and comes out
stays float32.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.tflite_model import SIGNATURE
from bench.tflite_network import INPUT


def quantise_tflite(model: Path, inputs: Sequence[np.ndarray], quantised: Path) -> None:
    """Writes `model`, which `write_tflite` made, to `quantised`, calibrated on `inputs`."""
    from litert_quantizer import qtyping, quantizer, recipe

    maker = quantizer.Quantizer(str(model))
    maker.load_quantization_recipe(recipe.static_wi8_ai8())
    for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        maker.update_quantization_recipe(".*", end, algorithm_key="no_quantize")
    with _silence():
        seen = maker.calibrate({SIGNATURE: [{INPUT: x} for x in inputs]})
        maker.quantize(seen).export_model(str(quantised))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The quantiser prints its progress, and the runtime warns of how it is calibrated."""
    with (
        Path(os.devnull).open("w") as nothing,
        contextlib.redirect_stdout(nothing),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
