"""Records of one kernel that tests write to logs."""

from __future__ import annotations

import dataclasses
from typing import Any

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from compile.tuning.decisions import plain, workload_fields
from compile.tuning.record import Record
from compile.tuning.record_fields import RECORD_FORMAT
from compile.tuning.task import TEMPLATE_VERSIONS
from tests.cores import A72

WORKLOAD = PointwiseWorkload(3, 8, 12, 36, relu=True, shortcut=False)
TILES = space_of(WORKLOAD, A72)


def record(index: int = 0, cycles: float = 1000.0, **changed: Any) -> Record:  # noqa: ANN401
    """That tile `index` of the space takes so many cycles, or what `changed` says."""
    fields: dict[str, Any] = {
        "format": RECORD_FORMAT,
        "space": "template",
        "template": "pointwise",
        "template_version": TEMPLATE_VERSIONS["pointwise"],
        "workload": workload_fields(WORKLOAD),
        "threads": 1,
        "decisions": plain(dataclasses.asdict(TILES[index])),
        "target": "arm_cpu",
        "core": "cortex-a72",
        "tvm_target": "llvm",
        "board": "modelled:cortex-a72",
        "kind": "modelled",
        "unit": "cycles",
        "outcome": "ok",
        "samples": (cycles,),
        "counters": {},
        "versions": {"apache-tvm": "0.27"},
        "date": "2026-11-24T12:00:00Z",
    }
    return Record(**{**fields, **changed})
