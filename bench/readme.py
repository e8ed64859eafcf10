"""python bench/readme.py: write the README's results table from the newest committed reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.context import REPOSITORY
from model.cli import run_command, write_atomically

README = REPOSITORY / "README.md"
REPORTS = (REPOSITORY / "bench" / "results" / "host" / "fusion.json",)
BEGIN, END = "<!-- results -->", "<!-- /results -->"


def main() -> None:
    """Replaces what stands between the README's markers."""
    text = with_results(README.read_text(encoding="utf-8"))
    write_atomically(README, lambda path: path.write_text(text, encoding="utf-8"))


def with_results(readme: str) -> str:
    """`readme` with its results section made anew from the committed reports."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    sections = [_section(path, json.loads(path.read_text(encoding="utf-8"))) for path in REPORTS]
    return "\n".join([before + BEGIN, *sections, END + after])


def _section(path: Path, report: dict[str, Any]) -> str:
    context = report["context"]
    lines = [
        "| model | input | level | threads | median | speedup over stock |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['model']} | {row['input']} | {row['level']} | {row['threads']} "
            f"| {row['median']:.2f} {row['unit']} | {row['speedup_over_stock']:.2f}x |"
            for row in report["rows"]
        ),
        "",
        f"{report['rows'][0]['kind'].capitalize()} on {context['cpu']}, {context['cores']} cores, "
        f"shared; median of {len(report['rows'][0]['samples'])} interleaved rounds; "
        f"{context['date'][:10]}, revision {context['revision']}; "
        f"report: `{path.relative_to(REPOSITORY)}`.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
