"""The page of reports: `SUITES` says which suites are known, and in which order they stand.

A suite is a title, a sentence, and a function from a report and its rows to blocks. One that is not
here is shown as a table of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.report_page import accuracy, kernels, model_check, speedup
from bench.report_page.bar_suites import BAR_SUITES, BarSuite
from bench.report_page.blocks import plain_blocks
from bench.report_page.content import Block, Section
from bench.reports import Report
from bench.rows import Row


@dataclass(frozen=True)
class SuitePage:
    """How the rows of a suite are shown."""

    title: str
    lead: str
    blocks: Callable[[Report, Sequence[Row]], Iterable[Block]]


def _bars(suite: BarSuite) -> SuitePage:
    return SuitePage(suite.title, suite.lead, suite.blocks)


SUITES = {
    "table8": SuitePage(speedup.TITLE, speedup.LEAD, speedup.speedup_blocks),
    "fusion": _bars(BAR_SUITES["fusion"]),
    "peers": _bars(BAR_SUITES["peers"]),
    "layers": SuitePage(kernels.TITLE, kernels.LEAD, kernels.layer_blocks),
    "independent": _bars(BAR_SUITES["independent"]),
    "groups": _bars(BAR_SUITES["groups"]),
    "threads": _bars(BAR_SUITES["threads"]),
    "memory": _bars(BAR_SUITES["memory"]),
    "startup": _bars(BAR_SUITES["startup"]),
    "size": _bars(BAR_SUITES["size"]),
    "model-check": SuitePage(model_check.TITLE, model_check.LEAD, model_check.model_check_blocks),
    "accuracy": SuitePage(accuracy.TITLE, accuracy.LEAD, accuracy.accuracy_blocks),
    "peak": SuitePage("The machine's peak", "Fused multiply-adds in registers.", plain_blocks),
    "sensitivity": SuitePage(
        "int8 layer by layer", "What each layer costs, and what float32 there gains.", plain_blocks
    ),
    "ablation": SuitePage(
        "The paper's ablation", "Trained on the digits, at equal multiply-adds.", plain_blocks
    ),
    "tuning": SuitePage(
        "Search spaces", "Our templates' and MetaSchedule's own, at equal time.", plain_blocks
    ),
    "numerics": SuitePage(
        "Every answer checked", "Networks on boards against the reference.", plain_blocks
    ),
    "pictures": SuitePage(
        "Trained networks over pictures", "Ours against the reference.", plain_blocks
    ),
    "light-models": SuitePage(
        "Networks of the ONNX project",
        "Built and verified, as shipped and with random weights.",
        plain_blocks,
    ),
}


def sections(reports: Sequence[Report]) -> list[Section]:
    """A section for each suite that has rows: the known ones in their order, then the others."""
    there = dict.fromkeys(row["suite"] for report in reports for row in report.rows)
    order = [name for name in SUITES if name in there]
    order += [name for name in there if name not in SUITES]
    return [_section(name, reports) for name in order]


def _section(name: str, reports: Sequence[Report]) -> Section:
    suite = SUITES.get(name, SuitePage(f"Suite {name}", "", plain_blocks))
    blocks = [
        block
        for report in reports
        if (rows := [row for row in report.rows if row["suite"] == name])
        for block in suite.blocks(report, rows)
    ]
    return Section(name, suite.title, suite.lead, blocks)
