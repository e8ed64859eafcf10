"""A row of a report, as every suite writes it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from bench.interval import median_interval
from bench.units import WORDS
from compile.network import Network
from compile.targets import CompileTarget
from deploy_rpc.cores import Core
from model.errors import InputError

Row = dict[str, Any]
ENGINE = "shufflenet-compiled"


class RowError(InputError):
    """A figure that is no number: nobody could read the report back."""


def report_row(
    suite: str,
    target: CompileTarget,
    *,
    network: Network | None,
    engine: str,
    level: str | None,
    threads: int,
    kind: str,
    unit: str,
    samples: Sequence[float],
    core: Core | None = None,
    **more: object,
) -> Row:
    """The columns that all suites share, then `more`; what has no network has no model and input.

    `kind` is measured or modelled; `samples`, their median and its `interval` are in `unit`, which
    is one of `bench/units.py`, so that reports can be compared. `core` is the modelled one, which
    may be another than the target's. Raises `RowError` for a sample that is infinite or no number.
    """
    what = " ".join(filter(None, (network and network.name, level, "on", target.name)))
    _check(f"{suite} of {engine}, {what}", unit, samples)
    return {
        "suite": suite,
        "model": network and network.name,
        "input": network and "x".join(map(str, network.input_shape[2:])),
        "engine": engine,
        "level": level,
        "target": target.name,
        "core": core.name if core else target.core.llvm_cpu,
        "threads": threads,
        "kind": kind,
        "unit": unit,
        "median": statistics.median(samples),
        "interval": median_interval(samples),
        "samples": list(samples),
        **more,
    }


def _check(what: str, unit: str, samples: Sequence[float]) -> None:
    if unit not in WORDS:
        raise ValueError(f"expected a unit of {', '.join(WORDS)}, got {unit!r}; add it there")
    if not all(map(math.isfinite, samples)):
        raise RowError(
            f"{what}: expected finite numbers {unit}, got "
            f"{', '.join(f'{sample:g}' for sample in samples if not math.isfinite(sample))}"
        )
