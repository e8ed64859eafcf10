"""python deploy_rpc/doctor.py [--board BOARD]: what is here, what is missing, and what mends it.

Every part is tried, not only looked for: the compilers compile, the plugin counts, the emulated
board computes. Exits 1 where a part is broken, or where the board that was named does not work;
what is merely missing is optional.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy_rpc.board_checks import check_board
from deploy_rpc.board_spec import parse_board
from deploy_rpc.findings import BROKEN, FOUND, MISSING, Finding
from deploy_rpc.machine_checks import machine_findings
from model.cli import EXIT_FAILURE, argument, new_file, positive_int, run_command, write_json
from model.console import table_console

STYLES = {FOUND: "green", MISSING: "yellow", BROKEN: "red"}


def main(arguments: list[str] | None = None) -> None:
    """Prints a row a part as it is tried; exits 1 where something is broken."""
    options = _parser().parse_args(arguments)
    findings = list(_shown(machine_findings()))
    if options.board:
        findings += _shown(check_board(options.board, options.timeout))
    _print_summary(findings)
    if options.json:
        write_json(options.json, {"findings": [asdict(finding) for finding in findings]})
    broken = any(finding.state == BROKEN for finding in findings)
    sys.exit(EXIT_FAILURE if broken else 0)


def _shown(findings: Iterable[Finding]) -> Iterator[Finding]:
    console = Console(highlight=False)
    for finding in findings:
        state = (f"{finding.state:8}", STYLES[finding.state])
        line = Text.assemble(state, f" {finding.part}: {finding.detail}")
        console.print(line, soft_wrap=True)
        yield finding


def _print_summary(findings: Sequence[Finding]) -> None:
    remedies = [finding for finding in findings if finding.remedy]
    if not remedies:
        print("nothing to mend")
        return
    table = Table("part", "state", "what mends it", title="To mend", title_justify="left")
    for finding in remedies:
        table.add_row(finding.part, finding.state, finding.remedy)
    table_console(160).print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="doctor.py", description="Tries every part, and says what mends what does not work."
    )
    add = parser.add_argument
    add("--board", type=argument(parse_board), metavar="BOARD", help="try this board, too")
    add("--timeout", type=positive_int, default=20, metavar="S",
        help="longest wait for an answer of the board, in seconds (default: 20)")  # fmt: skip
    add("--json", type=new_file, metavar="FILE", help="write the findings here")
    return parser


if __name__ == "__main__":
    run_command(main)
