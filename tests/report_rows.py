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

TABLES = ("sensitivity", "ablation", "tuning", "numerics", "pictures", "light-models")


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


def kernel_row(kernel: str, share: float, macs: int, **columns: object) -> Row:
    """A measured row of suite layers; without `macs` it computes nothing."""
    row = a_row([share * 1e3] * 9, suite="layers", unit="us", kernel=kernel)
    return row | {
        "macs": macs,
        "gflops": 2e-3 * macs / row["median"],
        "peak_share": 2e-3 * macs / row["median"] / 100,
        "workload": f"workload of {kernel}",
        "calls": 3,
        "bytes": 400_000,
        "network_share": share,
        **columns,
    }


def layer_rows() -> list[Row]:
    """A network of four kernels of 1 ms, on a core with a peak of 100 GFLOP/s."""
    return [
        kernel_row("pointwise3_joined", 0.5, 20_000_000),
        kernel_row("window_conv", 0.2, 1_000_000),
        kernel_row("window_max", 0.1, 0),
        kernel_row("head", 0.1, 960_000),
        kernel_row("total", 1.0, 21_960_000, network_share=0.9),
    ]


def check_row() -> Row:
    """A row of suite model-check with five schedules."""
    cycles, times = (1e5, 2e5, 3e5, 4e5, 8e5), (4e4, 6e4, 11e4, 12e4, 25e4)
    schedules = [
        {"modelled_cycles": cycle, "measured_ns": ns}
        for cycle, ns in zip(cycles, times, strict=True)
    ]
    return a_row([1.0], suite="model-check", unit="rank correlation", kernel="stem") | {
        "correlation": 1.0,
        "pick_slowdown": 1.0,
        "relative_error": 0.1,
        "ns_per_cycle": 0.32,
        "slowest_to_fastest": 6.2,
        "schedules": schedules,
    }


def table8_rows() -> list[Row]:
    """Of two networks at two inputs by two engines; the second goal is missed."""
    return [
        *_table8("224x224", {"shufflenet-0.5x-g3": (2.0, 4.0), "alexnet": (60.0, 54.0)}, 25.0),
        *_table8("480x640", {"shufflenet-0.5x-g3": (20.0, 21.0), "alexnet": (320.0, 330.0)}, 17.0),
    ]


def _table8(size: str, times: dict[str, tuple[float, float]], goal: float) -> list[Row]:
    least = {model: min(pair) for model, pair in times.items()}
    rows = []
    for model, pair in times.items():
        for engine, ms in zip(("shufflenet-compiled", "onnxruntime"), pair, strict=True):
            row = a_row([ms], suite="table8", model=model, input=size, engine=engine)
            row["fastest"] = ms == least[model]
            if row["fastest"]:
                speedup = least["alexnet"] / ms
                row |= {"speedup_over_alexnet": speedup, "speedup_by_macs": 18.9}
                row |= {"paper_ms": 15.2, "paper_speedup": 12.1}
            if row["fastest"] and model != "alexnet":
                row |= {"goal": goal, "goal_met": speedup >= goal}
                row |= {"speedup_interval": [speedup - 1, speedup + 1]}
            rows.append(row)
    return rows


def accuracy_rows() -> list[Row]:
    """Of two number formats over the digits, each with two layers."""
    shared = {"suite": "accuracy", "data": "digits", "board": "emulated:neoverse-n1"}
    rows = []
    for dtype, error in (("float32", 1e-6), ("float16", 2e-3)):
        shared |= {"dtype": dtype, "converted": dtype == "float16"}
        counted = {"pictures": 359, "top1": 0.975, "top5": 1.0, "agree": 358, "same_best": 350}
        whole = {"unit": "of the logits' range", "largest_error": 3 * error, **counted}
        rows.append(a_row([error, 3 * error], **shared, **whole))
        for layer in ("stem", "classifier"):
            of_layer = {"layer": layer, "unit": "of the layer's deviation", "pictures": 20}
            rows.append(a_row([error / 2], **shared, **of_layer, largest_error=error))
    return rows


def report_of_every_suite() -> Report:
    """With rows of each suite that the page knows, and of one that it does not know."""
    machine = {
        "peak": {"unit": "GFLOP/s", "median": 100.0},
        "bandwidth": {"unit": "GB/s", "median": 12.5},
    }
    rows = [
        *(a_row([ms], level=level) for level, ms in (("stock", 60.0), ("fused", 2.0))),
        *(a_row([ms], suite="peers", engine=name) for name, ms in (("mnn", 3.0), ("ncnn", 2.5))),
        *(a_row(suite="independent", process=name) for name in ("bench worker", "its own loop")),
        *layer_rows(),
        *table8_rows(),
        *(a_row([2.0], suite="groups", model=f"shufflenet-1.0x-g{g}", macs=g) for g in (1, 3)),
        *(a_row([4.0 / n], suite="threads", threads=n) for n in (1, 2)),
        *(a_row([9.5], suite="memory", unit="MB", process=name) for name in ("Python", "C")),
        a_row([1.4], suite="startup", import_ms=3.25),
        a_row([2_886_064], suite="size", unit="bytes", level=None),
        check_row(),
        *accuracy_rows(),
        a_row([240.9], suite="peak", model=None, input=None, level=None, unit="GFLOP/s"),
        *(a_row(suite=name) for name in TABLES),
        a_row([7.0], suite="weather", unit="degrees", sunny=True, wind_ms=3.5),
    ]
    return a_report(*rows, machine=machine, warnings=["the core's peak moved"])
