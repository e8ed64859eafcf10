"""What values the tensors of a network take: it runs on calibration inputs, and all are looked at.

The module is the fused one in float32, just before its kernels become int8, so that every tensor
that will be int8 is seen where it is. It runs in TVM's virtual machine on this machine, whatever
core it was scheduled for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from compile.schedules import schedule_kernels
from compile.targets import host_target

LOWER = (
    relax.transform.LegalizeOps(),
    relax.transform.RewriteDataflowReshape(),
)
TO_MACHINE = (
    relax.transform.ToNonDataflow(),
    relax.transform.RemovePurityChecking(),
    relax.transform.CallTIRRewrite(),
    relax.transform.StaticPlanBlockMemory(),
    relax.transform.LowerAllocTensor(),
    relax.transform.KillAfterLastUse(),
    relax.transform.LowerRuntimeBuiltin(),
    relax.transform.ComputePrimValue(),
    relax.transform.VMShapeLower(),
    relax.transform.AttachGlobalSymbol(),
)


@dataclass
class Range:
    """The least and the largest value of each channel, (channels,), and of its mean over the pixels
    of one input.
    """

    low: np.ndarray
    high: np.ndarray
    mean_low: np.ndarray
    mean_high: np.ndarray


Observe = Callable[[tvm.IRModule], list[Range]]


def observe_on(inputs: Iterable[np.ndarray]) -> Observe:
    """Looks at the tensors of a module's `main` as it runs on each of `inputs`: at its parameter,
    then at what each binding makes. Channels are the first axis that is longer than 1.
    """

    def observe(module: tvm.IRModule) -> list[Range]:
        run = _all_values(module)
        ranges: list[Range] = []
        for x in inputs:
            seen = [_range_of(values) for values in run(x)]
            ranges = [_joined(*both) for both in zip(ranges or seen, seen, strict=True)]
        return ranges

    return observe


def _all_values(module: tvm.IRModule) -> Callable[[np.ndarray], list[np.ndarray]]:
    """What computes, from the input of `main`, all its values in order, the input first."""
    target = host_target()
    plain = relax.transform.ToNonDataflow()(module)
    main = plain["main"]
    variables = [binding.var for block in main.body.blocks for binding in block.bindings]
    body = relax.SeqExpr(main.body.blocks, relax.Tuple(variables))
    updated = plain.clone()
    everything = relax.Function(main.params, body, relax.TupleType([v.ty for v in variables]))
    updated["main"] = everything.with_attr("global_symbol", "main")
    with target.tvm:
        for apply in LOWER:
            updated = apply(updated)
        updated, _ = schedule_kernels(updated, target.core, 1)
        for apply in TO_MACHINE:
            updated = apply(updated)
        machine = relax.VirtualMachine(
            relax.build(updated, target=target.tvm, relax_pipeline=None), tvm.cpu()
        )

    def run(x: np.ndarray) -> list[np.ndarray]:
        return [x, *(value.numpy() for value in machine["main"](tvm.runtime.tensor(x)))]

    return run


def _range_of(values: np.ndarray) -> Range:
    channels = next((extent for extent in values.shape if extent > 1), 1)
    flat = values.reshape(channels, -1)
    means = flat.mean(axis=1)
    return Range(flat.min(axis=1), flat.max(axis=1), means, means)


def _joined(a: Range, b: Range) -> Range:
    return Range(
        np.minimum(a.low, b.low),
        np.maximum(a.high, b.high),
        np.minimum(a.mean_low, b.mean_low),
        np.maximum(a.mean_high, b.mean_high),
    )
