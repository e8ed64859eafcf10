"""Is what was built right? Its outputs against the network's reference, on the same input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compile.network import Network
from deploy_rpc.cores import Dtype
from deploy_rpc.session import LoadedModule
from model.errors import InputError

TOLERANCES: dict[Dtype, float] = {"float32": 1e-4, "float16": 2e-2, "int8": 0.5}
"""Largest error, as a share of the reference output's range. float32 sums of up to 9216 products in
another order differ by some 1e-6 of it; a wrong layer by more than 1e-2. In float16 the official
0.5x g3 is off by 7e-3 in the median of 200 pictures, by 1.5e-2 at most (2026-11-25). int8 is
checked by integers, exactly; where kernels of floats take part it cannot be, and only what is far
off is an error."""


class VerificationError(InputError):
    """A built module whose output is not the reference's."""


@dataclass(frozen=True)
class Verification:
    """The comparison of one output of a build; errors are absolute, `output_range` is max - min."""

    level: str
    output: str
    reference: str
    where: str
    max_abs_error: float
    output_range: float
    tolerance: float

    @property
    def relative_error(self) -> float:
        """The largest error as a share of the reference output's range."""
        return self.max_abs_error / self.output_range


def verify(
    module: LoadedModule,
    network: Network,
    expected: Sequence[np.ndarray],
    *,
    level: str,
    where: str,
    dtype: Dtype = "float32",
) -> list[Verification]:
    """Runs `module` on the network's example input and compares each output with `expected`.

    `dtype` is what it computes in. Raises `VerificationError` where shapes differ, values are not
    finite, or errors exceed the type's tolerance.
    """
    outputs = module.run_all(network.example_input())
    return verify_outputs(outputs, network, expected, level=level, where=where, dtype=dtype)


def verify_outputs(
    outputs: Sequence[np.ndarray],
    network: Network,
    expected: Sequence[np.ndarray],
    *,
    level: str,
    where: str,
    dtype: Dtype = "float32",
) -> list[Verification]:
    """Compares `outputs`, which `network` gave for its example input, as `verify` does."""
    return [
        _compared(output, wanted, named.name, network, level, where, dtype)
        for output, wanted, named in zip(outputs, expected, network.outputs, strict=True)
    ]


def _compared(
    output: np.ndarray,
    expected: np.ndarray,
    name: str,
    network: Network,
    level: str,
    where: str,
    dtype: Dtype,
) -> Verification:
    what = f"{level} on {where}" if len(network.outputs) == 1 else f"{level} on {where}: {name}"
    if output.shape != expected.shape:
        raise VerificationError(
            f"{what}: output shape {output.shape}, {network.reference_name} gives {expected.shape}"
        )
    tolerance = TOLERANCES[dtype] if network.tolerance is None else network.tolerance
    result = Verification(
        level=level,
        output=name,
        reference=network.reference_name,
        where=where,
        max_abs_error=float(np.abs(output - expected).max()),
        output_range=float(np.ptp(expected)) or 1.0,
        tolerance=tolerance,
    )
    if not np.isfinite(output).all() or not result.relative_error <= result.tolerance:
        raise VerificationError(
            f"{what} does not match {network.reference_name}: max abs error "
            f"{result.max_abs_error:.3g}, {result.relative_error:.2g} of the output's range; at "
            f"most {result.tolerance:g} is allowed with {dtype}. Nothing was written; look at the "
            "IR with --dump DIR"
        )
    return result
