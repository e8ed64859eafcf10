"""python bench/readme.py: write the README's results table from the newest committed reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.context import REPOSITORY
from model.cli import run_command, write_atomically

README = REPOSITORY / "README.md"
RESULTS = REPOSITORY / "bench" / "results"


def main() -> None:
    """Replaces what stands between the README's markers."""
    text = with_results(README.read_text(encoding="utf-8"))
    write_atomically(README, lambda path: path.write_text(text, encoding="utf-8"))


def with_results(readme: str) -> str:
    """`readme` with its sections of results made anew from the committed reports."""
    for name, section in SECTIONS.items():
        before, rest = readme.split(f"<!-- {name} -->")
        _, after = rest.split(f"<!-- /{name} -->")
        readme = f"{before}<!-- {name} -->\n{section()}\n<!-- /{name} -->{after}"
    return readme


def _ladder_section() -> str:
    report = _report("fusion")
    lines = [
        "| model | input | level | threads | median | speedup over stock |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['model']} | {row['input']} | {row['level']} | {row['threads']} "
            f"| {row['median']:.2f} {row['unit']} | {row['speedup_over_stock']:.2f}x |"
            for row in report["rows"]
        ),
        "",
        _conditions(report, "fusion", "interleaved rounds"),
    ]
    return "\n".join(lines)


def _footprint_section() -> str:
    memory, startup = _report("memory"), _report("startup")
    first = {row["engine"]: row for row in startup["rows"]}
    lines = [
        "| engine | in a process of | memory | of it weights + workspace | first answer |",
        "|---|---|---|---|---|",
    ]
    for row in memory["rows"]:
        needed = (row.get("weights_bytes", 0) + row.get("workspace_bytes", 0)) / 1e6
        start = first[row["engine"]] if row["process"] == "Python" else None
        answer = f"{start['median']:.1f} ms (import {start['import_ms']:.0f} ms)" if start else "-"
        lines.append(
            f"| {row['engine']} | {row['process']} | {row['median']:.2f} MB "
            f"| {f'{needed:.2f} MB' if needed else '-'} | {answer} |"
        )
    lines += ["", _conditions(memory, "memory", "processes"), _conditions(startup, "startup")]
    return "\n".join(lines)


def _size_section() -> str:
    report = _report("size", "arm_cpu")
    lines = [
        "| library for `arm_cpu` | bytes | of it weights | the rest | memory of an instance |",
        "|---|---|---|---|---|",
        *(
            f"| {row['model']} | {row['median']:,} | {row['weights_bytes']:,} "
            f"| {row['median'] - row['weights_bytes']:,} | {row['workspace_bytes']:,} |"
            for row in report["rows"]
        ),
        "",
        f"Stripped shared libraries, {report['context']['date'][:10]}, revision "
        f"{report['context']['revision']}; report: `{_path('size', 'arm_cpu')}`.",
    ]
    return "\n".join(lines)


def _peers_section() -> str:
    lines = [
        "| modelled core | engine | M instructions | modelled Mcycles | of peak | of ours "
        "| L1 / L2 misses |",
        "|---|---|---|---|---|---|---|",
    ]
    kept = []
    for target in MODELLED_CORES:
        report = _report("peers", target)
        ours = report["rows"][0]["median"]
        lines += [
            f"| {row['core']} | {row['engine']} | {row['instructions'] / 1e6:.1f} "
            f"| {row['median']:.2f} | {row['peak_share']:.1%} | {row['median'] / ours:.2f}x "
            f"| {row['l1_misses'] / 1e6:.2f} M / {row['l2_misses'] / 1e6:.2f} M |"
            for row in report["rows"]
        ]
        kept.append(f"`{_path('peers', target)}`")
    row, context = report["rows"][0], report["context"]
    lines += [
        "",
        f"{row['model']} at {row['input']}, float32, one thread, untuned; modelled, not measured; "
        f"{context['date'][:10]}, revision {context['revision']}; reports: {', '.join(kept)}.",
    ]
    return "\n".join(lines)


MODELLED_CORES = ("cortex-a72", "neoverse-n1")
SECTIONS = {
    "peers": _peers_section,
    "results": _ladder_section,
    "sizes": _size_section,
    "footprint": _footprint_section,
}


def _path(suite: str, target: str) -> Path:
    return (RESULTS / target / f"{suite}.json").relative_to(REPOSITORY)


def _report(suite: str, target: str = "host") -> dict[str, Any]:
    return json.loads((REPOSITORY / _path(suite, target)).read_text(encoding="utf-8"))


def _conditions(report: dict[str, Any], suite: str, rounds: str = "processes") -> str:
    """On what, when and how the figures were taken, and where they are kept."""
    context, first = report["context"], report["rows"][0]
    return (
        f"{first['kind'].capitalize()} on {context['cpu']}, {context['cores']} cores, shared; "
        f"median of {len(first['samples'])} {rounds}; {context['date'][:10]}, revision "
        f"{context['revision']}; report: `{_path(suite, 'host')}`."
    )


if __name__ == "__main__":
    run_command(main)
