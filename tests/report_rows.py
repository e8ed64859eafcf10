"""Small reports, made for the tests of what reads them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.reports import Report
from bench.rows import Row

CONTEXT = {
    "date": "2026-11-25T12:00:00+00:00",
    "cpu": "Some CPU AVX2",
    "cores": 2,
    "governor": "performance",
    "load_before": 0.1,
    "revision": "0123456789ab",
    "versions": {"apache-tvm": "0.27.0"},
}


def a_row(samples: Sequence[float] = (1.0, 1.1, 1.2), **columns: object) -> Row:
    """A row of suite fusion, measured in ms, unless `columns` say otherwise."""
    return {
        "suite": "fusion",
        "model": "shufflenet-1.0x-g3",
        "input": "224x224",
        "engine": "shufflenet-compiled",
        "level": "fused",
        "target": "host",
        "core": "skylake",
        "threads": 1,
        "kind": "measured",
        "unit": "ms",
        "median": statistics.median(samples),
        "samples": list(samples),
        **columns,
    }


def a_report(*rows: Row, name: str = "report.json", **context: object) -> Report:
    """A report of `rows`, made under the same conditions but for `context`."""
    return Report(name, CONTEXT | context, rows)


def write_report(path: Path, *rows: Row, **context: object) -> str:
    """Writes such a report to `path`, and returns its name for a command line."""
    path.write_text(json.dumps({"context": CONTEXT | context, "rows": rows}), encoding="utf-8")
    return str(path)
