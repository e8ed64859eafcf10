"""What there is to tune of a network in MetaSchedule's own space.

That is every kernel that no template covers, and for comparison every convolution that one does,
in the form that TVM has of it (`plain_kernel.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from compile.kernels import list_kernels
from compile.lower import legalised
from compile.network import Network
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Made, made_from
from compile.schedules.window_workload import WindowWorkload
from compile.targets import CompileTarget
from compile.tuning.auto_record import kernel_text
from compile.tuning.plain_kernel import plain_kernel


@dataclass(frozen=True)
class AutoTask:
    """An unscheduled kernel; `made` is what our template makes instead, None where none does."""

    name: str
    plain: tirx.PrimFunc
    calls: int
    macs: int
    made: Made | None


def auto_tasks_of(network: Network, target: CompileTarget) -> list[AutoTask]:
    """The kernels of `network` at level fused for `target`, each computation once.

    Left out: those with other numbers than float32, and pools and dense layers of our templates.
    """
    module = legalised(network, "fused", target)
    tasks: dict[str, AutoTask] = {}
    for kernel in list_kernels(module, "auto"):
        made = made_from(module[kernel.name])
        plain = _plain_form(made) if made else module[kernel.name]
        if plain is None or {*kernel.dtypes} != {"float32"}:
            continue
        plain = plain.with_attr("global_symbol", "main")
        text = kernel_text(plain)
        calls = kernel.calls + (tasks[text].calls if text in tasks else 0)
        first = tasks.get(text)
        name, made = (first.name, first.made) if first else (kernel.name, made)
        tasks[text] = AutoTask(name, plain, calls, kernel.macs, made)
    return list(tasks.values())


def _plain_form(made: Made) -> tirx.PrimFunc | None:
    workload = made.workload
    is_convolution = isinstance(workload, PointwiseWorkload) or (
        isinstance(workload, WindowWorkload) and workload.kind == "conv"
    )
    return plain_kernel(workload) if is_convolution else None
