"""What there is to tune in a network: its distinct kernels, and how often each runs."""

from __future__ import annotations

import dataclasses
from typing import Any

from compile.lower import Lowered
from compile.schedules.int8_workloads import uncalibrated
from compile.schedules.spaces import space_of
from compile.schedules.templates import Made, made_from
from deploy_rpc.cores import Core

TEMPLATE_VERSIONS = {  # raised where the same decisions make another kernel
    "pointwise": 1,
    "window": 1,
    "stem_pool": 1,
    "stem_pool_channels": 1,
    "stem_pool_winograd": 1,
    "window_channels": 1,
    "pool": 1,
    "dense": 1,
    "lrn": 1,
    "int8_pointwise": 1,
    "int8_depthwise": 1,
    "int8_stem": 1,
    "int8_dense": 1,
    "int8_conversion": 1,
}


@dataclasses.dataclass(frozen=True)
class Task:
    """One kernel of a network. `made` is what it is without a record."""

    name: str
    made: Made
    calls: int
    macs: int

    def space(self, core: Core) -> list[Any]:
        """The tiles to choose from, the default one first."""
        return space_of(self.made.workload, core)


def tasks_of(lowered: Lowered) -> list[Task]:
    """The kernels of `lowered` that templates made, each workload once; those of int8 that differ
    in what calibration decides are one.
    """
    tasks: dict[Any, Task] = {}
    for kernel in lowered.kernels:
        made = made_from(lowered.module[kernel.name])
        if made is None:
            continue
        made = dataclasses.replace(made, workload=uncalibrated(made.workload))
        known = tasks.get(made.workload)
        calls = kernel.calls + (known.calls if known else 0)
        name = known.name if known else kernel.name
        tasks[made.workload] = Task(name, made, calls, kernel.macs)
    return list(tasks.values())
