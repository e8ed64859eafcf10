"""The passes from Relax to what TVM's virtual machine runs, phase by phase, as `tvm.compile` has
them.
"""

from tvm import relax

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
