"""The committed reports, bench/results/TARGET/SUITE.json."""

from __future__ import annotations

import dataclasses

from bench.provenance import REPOSITORY
from bench.reports import Report, read_report

RESULTS = REPOSITORY / "bench" / "results"
HERE, WITH_AVX2 = "host", "host-avx2"  # this machine, and one whose vectors are half as long


def committed_report(suite: str, target: str = HERE) -> Report:
    """The newest report of `suite`, under its path in the repository."""
    path = RESULTS / target / f"{suite}.json"
    report = read_report(str(path))
    return dataclasses.replace(report, name=str(path.relative_to(REPOSITORY)))
