"""A network at one level of the ladder: canonical Relax to scheduled kernels and a memory plan.

Level stock runs in TVM's Relax VM, every other one is a C function with no runtime behind it.

stock     TVM's own default pipeline, as `tvm.compile` runs it: no fusion, no schedules
unfused   batch norms folded, our templates and layouts, but every operator a kernel of its own
fused     the same templates with ReLU, shortcut and shuffle inside, concats and shortcuts in place
tuned     fused, with the decisions of tuning records where there are some
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path

import tvm
from tvm import relax, tirx

from compile.aot.compute import Compute, make_compute
from compile.aot.program import read_program
from compile.aot.symbols import c_prefix
from compile.aot.workspace import Workspace
from compile.kernels import Kernel, list_kernels
from compile.network import Network
from compile.operators import count_operators
from compile.passes import passes_of
from compile.passes.take_decisions import Decisions, take_decisions
from compile.quantise.inputs import Calibration, synthetic_calibration
from compile.quantise.reference import KEPT, checked_by_integers
from compile.schedules import schedule_kernels
from compile.targets import CompileTarget
from compile.trail import Trail
from compile.virtual_machine import FINALISE, LEGALISE_STOCK, PLAN_MEMORY, planned_workspace
from deploy_rpc.cores import Dtype

LEVELS = ("stock", "unfused", "fused", "tuned")
DEFAULT_LEVEL = "fused"

LEGALISE = (  # reshapes stay what they are, views; TVM would lower them and look for them again
    relax.transform.LegalizeOps(skip_ops=["relax.reshape"]),
    relax.transform.DeadCodeElimination(),
)


@dataclasses.dataclass(frozen=True)
class Lowered:
    """A network of scheduled kernels, for any CPU; the schedules are those of `target`.

    `module` holds the kernels and the Relax function `main` that calls them: at level stock as
    `relax.build` takes it, at any other as bindings of kernel calls, of which `compute` is the C
    function. `operators` says of each kind how many the imported graph held, and how many the
    passes left.
    """

    network: Network
    level: str
    target: CompileTarget
    threads: int
    module: tvm.IRModule
    kernels: tuple[Kernel, ...]
    operators: dict[str, tuple[int, int]]
    workspace: Workspace
    compute: Compute | None

    @property
    def macs(self) -> int:
        """MACs of one inference."""
        return sum(kernel.macs * kernel.calls for kernel in self.kernels)

    @property
    def takes_records(self) -> bool:
        """Whether tuning records decide one of the kernels."""
        return any(kernel.source.startswith("tuned") for kernel in self.kernels)

    @property
    def weights_bytes(self) -> int | None:
        """Of the packed weights; None at level stock, where TVM keeps them."""
        return None if self.compute is None else len(self.compute.weights)


def lower(
    network: Network,
    level: str,
    target: CompileTarget,
    *,
    threads: int = 1,
    decisions: Decisions | None = None,
    calibration: Calibration | None = None,
    kept: Collection[str] = (),
    dump: Path | None = None,
) -> Lowered:
    """Lowers `network`; writes the IR after each phase to `dump`, where one is named.

    `decisions` are those of tuning records; level tuned takes them, all other levels the defaults.
    `calibration` says what values int8 has to hold, by default those of synthetic pictures; the
    network of the result is then checked by what its integers have to be. The layers `kept`
    stay float32.
    """
    if target.dtype == "int8":
        calibration = calibration or synthetic_calibration(network)
    trail = Trail(level, dump)
    compute = None
    with target.tvm:
        passes = passes_of(level, target.core, threads, target.dtype, calibration, kept)
        if level == "tuned" and decisions is not None:
            passes = (*passes, take_decisions(decisions))
        module = trail.run("graph", network.module, passes)
        operators = _operators(network.module, module)
        legalise = LEGALISE_STOCK if level == "stock" else LEGALISE
        module = trail.run("legalised", module, legalise)
        kernels = list_kernels(module, source=level)
        if calibration is not None:
            stated = calibration.provenance | ({KEPT: list(kept)} if kept else {})
            network = checked_by_integers(network, module, stated)
        if level == "stock":
            module, workspace = _as_planned_by_tvm(module, trail)
        else:
            module, sources = schedule_kernels(module, target.core.of(target.dtype), threads)
            trail.run("scheduled", module, ())
            kernels = [dataclasses.replace(k, source=sources[k.name]) for k in kernels]
            compute = _compute(network, module, threads)
            workspace = compute.workspace
            trail.run("kernels", compute.kernels, ())
            trail.run("main", compute.main, ())
    return Lowered(
        network, level, target, threads, module, tuple(kernels), operators, workspace, compute
    )


def ladder(level: str, dtype: Dtype, *, modelled: bool) -> tuple[str, ...]:
    """The levels up to `level` that there are: stock needs TVM's runtime, which a modelled board
    has not, and float32, unless it is all that is asked for; int8 is fused in any case.
    """
    if dtype == "int8":
        return (level,)
    levels = LEVELS[: LEVELS.index(level) + 1]
    without_stock = modelled or dtype != "float32"
    return levels[1:] if without_stock and len(levels) > 1 else levels


def legalised(network: Network, level: str, target: CompileTarget) -> tvm.IRModule:
    """`network` as `lower` has it right before the generic schedules, for one thread.

    The kernels of templates are made, all others are the plain loops that TVM makes of operators.
    """
    module = network.module
    with target.tvm:
        for apply in (*passes_of(level, target.core, 1, target.dtype), *LEGALISE):
            module = apply(module)
    return module


def redecided(lowered: Lowered, decisions: Decisions) -> Lowered:
    """`lowered`, of level fused, at level tuned with `decisions`; no other pass runs again."""
    with lowered.target.tvm:
        module = take_decisions(decisions)(lowered.module)
        compute = _compute(lowered.network, module, lowered.threads)
    kernels = [
        dataclasses.replace(kernel, source=_source(module[kernel.name]))
        for kernel in list_kernels(module, "tuned")
    ]
    return dataclasses.replace(
        lowered,
        level="tuned",
        module=module,
        kernels=tuple(kernels),
        workspace=compute.workspace,
        compute=compute,
    )


def _operators(imported: tvm.IRModule, left: tvm.IRModule) -> dict[str, tuple[int, int]]:
    """Of each kind how many `imported` holds, and how many are `left` by the passes."""
    before, behind = count_operators(imported), count_operators(left)
    return {kind: (before[kind], behind[kind]) for kind in before}


def _as_planned_by_tvm(module: tvm.IRModule, trail: Trail) -> tuple[tvm.IRModule, Workspace]:
    """The module as `relax.build` takes it, with its storages."""
    trail.run("scheduled", module, ())
    planned = trail.run("planned", module, PLAN_MEMORY)
    return trail.run("final", planned, FINALISE), planned_workspace(planned)


def _source(kernel: tirx.PrimFunc) -> str:
    return str((kernel.attrs or {}).get("schedule", "generic"))


def _compute(network: Network, module: tvm.IRModule, threads: int) -> Compute:
    functions = {
        variable.name_hint: function
        for variable, function in module.functions.items()
        if isinstance(function, tirx.PrimFunc)
    }
    return make_compute(read_program(module), functions, c_prefix(network.name), threads)
