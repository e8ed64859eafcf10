"""The first convolution and the max pool behind it become one kernel, and what lies between is
never written.

    max_pool2d(relu(add(conv2d(x, W), b)))     ->  call_tir(stem_pool, x, W', b)

Both 3x3 with stride 2 and a border of one; what comes out is planes on AArch64 and has channels in
the lanes on x86, where they are whole vectors, or with AVX-512 and a half. All planes, and channels
that are none of these, AVX-512 makes by `stem_pool_winograd`. Left alone: sizes whose convolution
has an odd number of rows or columns (`fuse_windows` makes two kernels of them). Both kernels of 1x
g3 at 224 took 2.72 M modelled cycles on A72 and 1.45 M on N1 (2026-11-25), this one 2.33 M and
1.29 M.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tvm
from tvm import relax
from tvm.relax.dpl import is_const, is_op, wildcard

from compile.passes.rewriting import (
    Choices,
    Matched,
    call_kernel,
    constant,
    flat,
    is_per_channel,
    rewrite_main,
    shape_of,
)
from compile.schedules.registers import has_avx512
from compile.schedules.stem_pool_workload import KERNEL, STRIDE, StemPoolWorkload
from compile.schedules.templates import is_offered
from deploy_rpc.cores import Core

BORDER = 1


def fuse_stem(choices: Choices) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `choices`: Relax to Relax, main only; nothing is changed unfused."""
    x, bias = wildcard(), is_const()
    conv = is_op("relax.nn.conv2d")(x, is_const())
    pool = is_op("relax.nn.max_pool2d")(is_op("relax.nn.relu")(is_op("relax.add")(conv, bias)))

    def replace(builder: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        call, pooled = matched[conv], matched[pool]
        outputs, inputs, *kernel = shape_of(call.args[1])
        if kernel != [KERNEL, KERNEL] or not (_is_halving(call) and _is_halving(pooled)):
            return None
        if int(call.attrs.groups) != 1 or pooled.attrs.ceil_mode:
            return None
        if [int(extent) for extent in pooled.attrs.pool_size] != [KERNEL, KERNEL]:
            return None
        rows, columns = shape_of(matched[x])[2:]
        between, layout = (choices.layout_of(shape_of(each)[2:]) for each in (call, pooled))
        plain = StemPoolWorkload(outputs, inputs, (rows, columns), layout=layout)
        workload = _offered(plain, choices.core)
        per_channel = is_per_channel(matched[bias], outputs)
        alike = layout == "channels" and has_avx512(choices.core)  # bits are kept by choose_layouts
        fits = between == layout or alike
        if not (workload and fits and per_channel):
            return None
        made = choices.make(workload)
        operands = [
            matched[x],
            constant(made.packed(call.args[1].value.numpy())),
            flat(matched[bias]),
        ]
        return call_kernel(builder, made, "stem_pool", operands, shape_of(pooled))

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        wanted = choices.fused and choices.stem
        return rewrite_main(module, pool, replace) if wanted else module

    return apply


def _offered(plain: StemPoolWorkload, core: Core) -> StemPoolWorkload | None:
    """What `core` can make of it, in the order of preference."""
    choices = (plain, dataclasses.replace(plain, winograd=True))
    return next((workload for workload in choices if is_offered(workload, core)), None)


def _is_halving(call: relax.Call) -> bool:
    """Whether one picture is read with stride 2 and a border of one, and no dilation."""
    attrs = call.attrs
    strides = {int(stride) for stride in attrs.strides}
    padding = {int(pad) for pad in attrs.padding}
    plain = {int(step) for step in attrs.dilation} == {1} and shape_of(call.args[0])[0] == 1
    return plain and strides == {STRIDE} and padding == {BORDER}
