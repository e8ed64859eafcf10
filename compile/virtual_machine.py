"""From Relax to what TVM's virtual machine runs: the passes, phase by phase, as `tvm.compile` has
them, and a module made to run here.
"""

from __future__ import annotations

import tvm
from tvm import relax

from compile.aot.workspace import Workspace
from compile.schedules import schedule_kernels
from compile.targets import host_target

LEGALISE_STOCK = (relax.transform.LegalizeOps(), relax.transform.RewriteDataflowReshape())
PLAN_MEMORY = (
    relax.transform.ToNonDataflow(),
    relax.transform.RemovePurityChecking(),
    relax.transform.CallTIRRewrite(),
    relax.transform.StaticPlanBlockMemory(),
)
FINALISE = (
    relax.transform.LowerAllocTensor(),
    relax.transform.KillAfterLastUse(),
    relax.transform.LowerRuntimeBuiltin(),
    relax.transform.ComputePrimValue(),
    relax.transform.VMShapeLower(),
    relax.transform.AttachGlobalSymbol(),
)


def machine_here(module: tvm.IRModule) -> relax.VirtualMachine:
    """What runs the functions of `module`, not in dataflow blocks, on one thread of this machine.

    Kernels of templates are as they are, others are scheduled.
    """
    target = host_target()
    with target.tvm:
        for apply in LEGALISE_STOCK:
            module = apply(module)
        module, _ = schedule_kernels(module, target.core, 1)
        for apply in (*PLAN_MEMORY, *FINALISE):
            module = apply(module)
        built = relax.build(module, target=target.tvm, relax_pipeline=None)
        return relax.VirtualMachine(built, tvm.cpu())


def planned_workspace(module: tvm.IRModule) -> Workspace:
    """The storages of TVM's own memory plan in `module` behind `PLAN_MEMORY`; it knows no bound."""
    total = 0

    def add(node: relax.Expr) -> None:
        nonlocal total
        if isinstance(node, tvm.ir.Call) and node.op == tvm.ir.Op.get("relax.memory.alloc_storage"):
            total += int(node.args[0].values[0])

    relax.analysis.post_order_visit(module["main"], add)
    return Workspace((), total, None)
