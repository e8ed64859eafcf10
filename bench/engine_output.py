"""Whether an engine answers as the network does, before any of its figures counts."""

from __future__ import annotations

import numpy as np

from bench.limited import EngineError
from compile.network import Network
from compile.verify import TOLERANCES
from deploy_rpc.cores import Dtype

LEAST_TOLERANCE = 1e-3  # of the output's range; ncnn's own error is 2e-4
LEAST_CORRELATION = 0.9  # of int8 with float32; of one network ONNX Runtime's is 0.98


def check_output(
    engine: str, network: Network, y: np.ndarray, expected: np.ndarray, dtype: Dtype = "float32"
) -> None:
    """Raises `EngineError` where `y` is not the network's output, computed in `dtype`.

    Of int8 it has to correlate with `expected`, or where the network has a tolerance of its own, as
    our own of int8 have, to be within that.
    """
    if dtype == "int8" and network.tolerance is None:
        found = correlation(y, expected)
        if not found >= LEAST_CORRELATION:
            raise EngineError(
                f"{engine} answers wrong for {network.name}: its correlation with "
                f"{network.reference_name} is {found:.2f}, at least {LEAST_CORRELATION} is expected"
            )
        return
    allowed = network.tolerance
    if allowed is None:
        allowed = max(TOLERANCES[dtype], LEAST_TOLERANCE)
    error = float(np.abs(y.reshape(expected.shape) - expected).max() / np.ptp(expected))
    if not error <= allowed:
        raise EngineError(f"{engine} answers wrong for {network.name}: error {error:.2g}")


def correlation(y: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's, of two outputs; NaN where one is the same everywhere."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(y.ravel(), expected.ravel())[0, 1])
