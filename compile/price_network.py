"""A network's modelled cycles on an ARM core: the sum over its kernels, each priced alone."""

from __future__ import annotations

from dataclasses import dataclass

from compile.kernels import Kernel
from compile.lower import Lowered
from compile.price_kernel import price_kernel
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport

OF_SEVERAL_THREADS = "longest share of each kernel, barriers not counted"


@dataclass(frozen=True)
class NetworkPrice:
    """Modelled. What lies between kernels (calls, allocations, barriers) is not in it.

    Of several threads a kernel's report is that of its longest share, serial rest included.
    """

    core: str
    threads: int
    kernels: tuple[tuple[Kernel, CycleReport], ...]

    @property
    def cycles(self) -> float:
        """Of one inference."""
        return sum(kernel.calls * report.cycles for kernel, report in self.kernels)

    @property
    def whole(self) -> CycleReport:
        """All calls of one inference together; without blocks, as each kernel has its own.

        The misses are those of each kernel's second call after its first.
        """
        totals = {
            figure: sum(kernel.calls * getattr(report, figure) for kernel, report in self.kernels)
            for figure in ("cycles", "instructions", "loads", "stores", "l1_misses", "l2_misses")
        }
        priced = sum(k.calls * report.instructions * report.coverage for k, report in self.kernels)
        return CycleReport(
            core=self.core,
            llvm_model=self.kernels[0][1].llvm_model,
            coverage=priced / totals["instructions"],
            hottest=(),
            doubts=self.kernels[0][1].doubts,
            **totals,
        )

    def __str__(self) -> str:
        return f"{self.cycles / 1e6:.2f} M modelled cycles, {self.core}, {in_words(self.threads)}"


def note_on(threads: int) -> str | None:
    """What to know about figures of so many threads; nothing of one."""
    return OF_SEVERAL_THREADS if threads > 1 else None


def in_words(threads: int) -> str:
    """So many threads, and the note on them."""
    return f"{threads} threads ({note_on(threads)})" if threads > 1 else "one thread"


def price_network(lowered: Lowered, core: Core) -> NetworkPrice:
    """Prices every kernel of `lowered`, built for the target its schedules were made for."""
    priced = [
        (kernel, price_kernel(lowered.module[kernel.name], lowered.target, core, lowered.threads))
        for kernel in lowered.kernels
    ]
    return NetworkPrice(core.name, lowered.threads, tuple(priced))
