"""A network's modelled cycles on an ARM core: the sum over its kernels, each priced alone."""

from __future__ import annotations

from dataclasses import dataclass

from compile.kernels import Kernel
from compile.lower import Lowered
from compile.price_kernel import KernelPriceError, price_kernel
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport


@dataclass(frozen=True)
class NetworkPrice:
    """Modelled, one thread. What lies between kernels (calls, allocations) is not in it."""

    core: str
    kernels: tuple[tuple[Kernel, CycleReport], ...]

    @property
    def cycles(self) -> float:
        """Of one inference."""
        return sum(kernel.calls * report.cycles for kernel, report in self.kernels)

    @property
    def l1_misses(self) -> int:
        """Of one inference in the simulated L1, each kernel's second call after its first."""
        return sum(kernel.calls * report.l1_misses for kernel, report in self.kernels)

    @property
    def l2_misses(self) -> int:
        """Of one inference in the simulated L2, each kernel's second call after its first."""
        return sum(kernel.calls * report.l2_misses for kernel, report in self.kernels)

    def __str__(self) -> str:
        return f"{self.cycles / 1e6:.2f} M modelled cycles, {self.core}, one thread"


def price_network(lowered: Lowered, core: Core) -> NetworkPrice:
    """Prices every kernel of `lowered`, built for the target its schedules were made for.

    Raises `KernelPriceError` for a module of several threads.
    """
    if lowered.threads != 1:
        raise KernelPriceError(f"lowered for {lowered.threads} threads; only one is modelled")
    priced = [
        (kernel, price_kernel(lowered.module[kernel.name], lowered.target, core))
        for kernel in lowered.kernels
    ]
    return NetworkPrice(core.name, tuple(priced))
