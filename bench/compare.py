"""python bench/compare.py OLD.json NEW.json: what got faster or slower; exits 1 on a regression.

Exit codes: 0 no regression beyond the threshold, 1 at least one, 2 wrong usage or no reports.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from bench.columns import IDENTITY, split_columns
from bench.comparison import CONFIDENCE, UNDECIDED, Comparison, compare, context_warnings
from bench.reports import Report, ReportError, read_report
from bench.units import BETTER
from model.cli import EXIT_FAILURE, argument, new_file, run_command, write_json
from model.console import table_console

THRESHOLD = 0.05
PLAIN_WIDTH = 200  # of the table where there is no terminal
STYLES = dict.fromkeys(BETTER, "green") | {UNDECIDED: "yellow"}


def main(arguments: list[str] | None = None) -> None:
    """Compares two reports; leaves with exit code 1 on a regression."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        comparisons = compare(options.old, options.new, options.threshold)
    except ReportError as error:
        parser.error(str(error))
    warnings = list(context_warnings(options.old, options.new))
    if options.json:
        write_json(options.json, _as_json(options, comparisons, warnings))
    console = table_console(PLAIN_WIDTH)
    console.print(comparison_table(comparisons, options.threshold))
    for warning in warnings:
        print(f"warning: {warning}")
    regressions = sum(each.is_regression for each in comparisons)
    counts = Counter(each.verdict for each in comparisons)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
    if options.json:
        print(options.json)
    if regressions:
        print(
            f"{regressions} regression(s) beyond {options.threshold:.3g} of the old median",
            file=sys.stderr,
        )
        sys.exit(EXIT_FAILURE)


def comparison_table(comparisons: Sequence[Comparison], threshold: float) -> Table:
    """A row a pair; what is the same in all rows stands in the title."""
    same, differ = split_columns([each.row for each in comparisons])
    table = Table(
        title=", ".join(f"{name} {value}" for name, value in same.items()),
        title_justify="left",
        caption=f"change of the medians with its {CONFIDENCE:.0%} interval (bootstrap), p of the "
        "Mann-Whitney test, adjusted for the number of rows (Benjamini-Hochberg); regression: "
        f"worse by more than {threshold:.3g} of the old median",
        caption_justify="left",
    )
    for name in differ:
        table.add_column(name, overflow="fold")
    for name in ("old", "new", "change", "interval", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for each in comparisons:
        style = "bold red" if each.is_regression else STYLES.get(each.verdict)
        identity = ("-" if each.row.get(name) is None else str(each.row[name]) for name in differ)
        table.add_row(*identity, *_cells(each), style=style)
    return table


def _cells(each: Comparison) -> tuple[str, ...]:
    medians = (
        f"{row['median']:,.5g} {row['unit']}" if row else "-" for row in (each.old, each.new)
    )
    return (
        *medians,
        "-" if each.change is None else f"{each.change:+.2%}",
        "-" if each.interval is None else "{:+.1%} .. {:+.1%}".format(*each.interval),
        "-" if each.p_value is None else f"{each.p_value:.2g}",
        f"{each.verdict}, REGRESSION" if each.is_regression else each.verdict,
    )


def _as_json(
    options: argparse.Namespace, comparisons: Sequence[Comparison], warnings: Sequence[str]
) -> dict[str, Any]:
    return {
        "old": _about(options.old),
        "new": _about(options.new),
        "threshold": options.threshold,
        "confidence": CONFIDENCE,
        "adjusted": "p_value, for the number of rows (Benjamini-Hochberg)",
        "warnings": warnings,
        "rows": [
            {name: each.row.get(name) for name in IDENTITY}
            | {
                "old_median": each.old and each.old["median"],
                "new_median": each.new and each.new["median"],
                "change": each.change,
                "interval": each.interval,
                "p_value": each.p_value,
                "verdict": each.verdict,
                "regression": each.is_regression,
            }
            for each in comparisons
        ],
    }


def _about(report: Report) -> dict[str, Any]:
    return {"file": report.name, "context": report.context}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="compare.py",
        description="Judges two reports of bench/run.py row by row; exits 1 on a regression.",
    )
    parser.add_argument("old", type=argument(read_report), metavar="OLD.json", help="a report")
    parser.add_argument("new", type=argument(read_report), metavar="NEW.json", help="a later one")
    parser.add_argument(
        "--threshold",
        type=_share,
        default=THRESHOLD,
        metavar="SHARE",
        help=f"by how much a row may get worse, such as 5%% or 0.05 (default: {THRESHOLD})",
    )
    parser.add_argument("--json", type=new_file, metavar="FILE", help="the verdicts")
    return parser


def _share(text: str) -> float:
    """`5%` or `0.05`, for `type=`."""
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f"expected a share such as 5% or 0.05, got {text!r}")
    return share


if __name__ == "__main__":
    run_command(main)
