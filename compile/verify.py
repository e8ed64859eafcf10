"""Is what was built right? Its output against the network's reference, on the same input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compile.network import Network
from deploy_rpc.session import LoadedModule
from model.errors import InputError

TOLERANCE = 1e-4
"""Largest error, as a share of the reference output's range. float32 sums of up to 9216 products in
another order differ by some 1e-6 of it; a wrong layer by more than 1e-2."""


class VerificationError(InputError):
    """A built module whose output is not the reference's."""


@dataclass(frozen=True)
class Verification:
    """The comparison of one build; errors are absolute, `output_range` is max - min."""

    level: str
    reference: str
    where: str
    max_abs_error: float
    output_range: float
    tolerance: float = TOLERANCE

    @property
    def relative_error(self) -> float:
        """The largest error as a share of the reference output's range."""
        return self.max_abs_error / self.output_range


def verify(
    module: LoadedModule, network: Network, expected: np.ndarray, *, level: str, where: str
) -> Verification:
    """Runs `module` on the network's example input and compares with `expected`.

    Raises `VerificationError` where shapes differ, values are not finite, or errors exceed
    `TOLERANCE`.
    """
    output = module.run(network.example_input())
    return verify_output(output, network, expected, level=level, where=where)


def verify_output(
    output: np.ndarray, network: Network, expected: np.ndarray, *, level: str, where: str
) -> Verification:
    """Compares `output`, which `network` gave for its example input, as `verify` does."""
    if output.shape != expected.shape:
        raise VerificationError(
            f"{level} on {where}: output shape {output.shape}, {network.reference_name} gives "
            f"{expected.shape}"
        )
    result = Verification(
        level=level,
        reference=network.reference_name,
        where=where,
        max_abs_error=float(np.abs(output - expected).max()),
        output_range=float(np.ptp(expected)) or 1.0,
    )
    if not np.isfinite(output).all() or not result.relative_error <= TOLERANCE:
        raise VerificationError(
            f"{level} on {where} does not match {network.reference_name}: max abs error "
            f"{result.max_abs_error:.3g}, {result.relative_error:.2g} of the output's range; at "
            f"most {TOLERANCE:g} is allowed. Nothing was written; look at the IR with --dump DIR"
        )
    return result
