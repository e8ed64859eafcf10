"""Schedules for every PrimFunc. A rule answers None for "not mine"; the first hit wins."""

from __future__ import annotations

import tvm
from tvm import tirx

from compile.schedules.generic import schedule_generic
from deploy_rpc.cores import Core

RULES = (("generic", schedule_generic),)


def schedule_kernels(
    module: tvm.IRModule, core: Core, threads: int
) -> tuple[tvm.IRModule, dict[str, str]]:
    """Schedules every PrimFunc of `module` for `core` on `threads` threads.

    Returns the module and, by kernel name, the rule that scheduled it.
    """
    sources: dict[str, str] = {}
    functions = dict(module.functions.items())
    for variable, function in functions.items():
        if not isinstance(function, tirx.PrimFunc):
            continue
        made_by_template = (function.attrs or {}).get("schedule")
        if made_by_template is not None:
            sources[variable.name_hint] = str(made_by_template)
        else:
            functions[variable], sources[variable.name_hint] = _schedule(function, core, threads)
    return tvm.IRModule(functions, attrs=module.attrs), sources


def _schedule(function: tirx.PrimFunc, core: Core, threads: int) -> tuple[tirx.PrimFunc, str]:
    for name, rule in RULES:
        schedule = rule(function, core, threads)
        if schedule is not None:
            return schedule.mod["main"], name
    raise AssertionError("the generic rule applies to every PrimFunc")
