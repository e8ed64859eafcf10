"""python bench/all_suites.py --out DIR: the short form of all suites on this machine, and a page.

Each suite is a run of `bench/run.py --quick` of its own. One that fails costs no other's report: it
is named on the page and at the end, with the log that it left. One that this machine has no tools
for, or that takes too long even in short, is named, too, and is no failure.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.kept_reports import kept_reports, remove_files, remove_partials
from bench.page import write_page
from bench.provenance import command_line, is_one_state, revision
from bench.reports import Report, ReportError, read_report
from bench.suite_process import SuiteError, run_suite
from bench.suite_tools import not_measurable
from model.cli import EXIT_FAILURE, phase, run_command
from model.output_folder import make_output_folder

RUN = Path(__file__).parent / "run.py"
LIMIT_S, LIMIT_FACTOR = 240, 6  # a suite hangs after so long and so many times its seconds
NOTHING_KEPT = "nothing can be kept: the code is not committed"
# fmt: off
SUITES = {  # about the seconds of each on two quiet cores; what readers look for first comes first
    "peers":        55,
    "table8":      170,
    "fusion":       45,
    "layers":       25,
    "groups":       45,
    "threads":      25,
    "independent":  40,
    "startup":      65,
    "memory":       85,
    "size":         20,
    "peak":         10,
    "model-check":  90,
    "accuracy":     70,
    "tuning":      125,
}
# fmt: on
HERE = ("--target", "host")
ELSEWHERE = {"tuning": ("--target", "cortex-a72", "--board", "modelled")}  # not on this machine
LEFT_OUT = {  # of the suites that are known, and why
    "ablation": "left out here: it trains networks for minutes",
    "sensitivity": "left out here: it prices a network anew for each of its layers",
}


class Pace:
    """How long the suites in `left` will take: as expected, times how others have fared here."""

    def __init__(self, left: list[str]) -> None:
        self._left = left
        self._expected_s = self._taken_s = 0.0

    @property
    def left_s(self) -> float:
        """Seconds, of all that are left."""
        factor = self._taken_s / self._expected_s if self._expected_s else 1.0
        return factor * sum(SUITES[suite] for suite in self._left)

    def note(self, suite: str, seconds: float | None) -> None:
        """Takes what `suite` took; None where it failed, which tells nothing of others."""
        self._left.remove(suite)
        if seconds is not None:
            self._expected_s += SUITES[suite]
            self._taken_s += seconds


def main(arguments: list[str] | None = None) -> None:
    """Measures all suites and writes the page; leaves with exit code 1 where one failed."""
    options = _parser().parse_args(arguments)
    make_output_folder(options.out)
    page = options.out / "index.html"
    page.unlink(missing_ok=True)  # an older one does not stand for this run's
    without = LEFT_OUT | not_measurable()
    for suite, reason in without.items():
        print(f"without {suite}: {reason}")
        remove_files(options.out, suite)
    suites = [suite for suite in SUITES if suite not in without]
    can_go_on = is_one_state(of := revision())
    if options.resume and not can_go_on:
        print(NOTHING_KEPT)
    remove_partials(options.out, suites, of if options.resume else None)
    commands = {suite: _command_line(suite, options.out) for suite in suites}
    kept = kept_reports(options.out, commands) if options.resume else {}
    begun = time.monotonic()
    try:
        reports, failed = measure_all(suites, options.out, kept)
    except KeyboardInterrupt:
        again = f"go on with: python bench/all_suites.py --out {options.out} --resume"
        print(f"\n{again if can_go_on else NOTHING_KEPT}")
        raise
    print(f"{len(suites)} suites in {(time.monotonic() - begun) / 60:.1f} min")
    _tell(failed, len(suites))
    if reports:
        missing = without | {suite: f"it failed: {reason}" for suite, reason in failed.items()}
        _write_page(list(reports.values()), page, missing)
    if failed:
        sys.exit(EXIT_FAILURE)


def measure_all(
    suites: Sequence[str], out: Path, kept: Mapping[str, Report]
) -> tuple[dict[str, Report], dict[str, str]]:
    """The report of each of `suites`, as in `kept` or made anew in `out`; why others have none."""
    reports, failed = {}, {}
    pace = Pace([suite for suite in suites if suite not in kept])
    for number, suite in enumerate(suites, 1):
        name = f"{number} of {len(suites)}: {suite}"
        if suite in kept:
            print(f"{name}, there already")
            reports[suite] = kept[suite]
            continue
        seconds, begun = None, time.monotonic()
        try:
            with phase(f"{name}, {math.ceil(pace.left_s / 60)} min left of all"):
                reports[suite] = _measured(suite, out)
            seconds = time.monotonic() - begun
        except SuiteError as error:
            failed[suite] = str(error)
        pace.note(suite, seconds)
    return reports, failed


def _measured(suite: str, out: Path) -> Report:
    """The report that a run of `suite` writes to `out`; what it prints goes to a log beside it."""
    report, log = out / f"{suite}.json", out / f"{suite}.log"
    remove_files(out, suite)
    command = [sys.executable, "-u", str(RUN), *_words(suite, out)]
    try:
        run_suite(command, log, LIMIT_S + LIMIT_FACTOR * SUITES[suite])
    except SuiteError:
        report.unlink(missing_ok=True)  # it may be there before the suite has ended
        raise
    try:
        return read_report(str(report))
    except ReportError as error:
        raise SuiteError(f"{error}; see {log}") from error


def _words(suite: str, out: Path) -> list[str]:
    where = ELSEWHERE.get(suite, HERE)
    return [suite, *where, "--quick", "--json", str(out / f"{suite}.json")]


def _command_line(suite: str, out: Path) -> str:
    """As the report of `suite` names it."""
    return command_line("bench/run.py", _words(suite, out))


def _tell(failed: Mapping[str, str], suites: int) -> None:
    """Which of so many `suites` failed, and why."""
    if failed:
        print(f"error: {len(failed)} of {suites} suites failed:", file=sys.stderr)
    for suite, reason in failed.items():
        print(f"  {suite}: {reason}", file=sys.stderr)


def _write_page(reports: Sequence[Report], page: Path, missing: Mapping[str, str]) -> None:
    """Writes it and says where; a failure says what is there, too."""
    try:
        write_page(reports, page, missing)
    except Exception:
        again = f"python bench/page.py {page.parent}/*.json --html {page}"
        print(f"without a page: the reports are there; try: {again}", file=sys.stderr)
        raise
    print(page)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="all_suites.py",
        description="Measures the short form of all suites on this machine: a report and a log of "
        "each, and one page of all, in minutes.",
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="for reports, logs and index.html")
    add(
        "--resume",
        action="store_true",
        help="keep what this commit has made in DIR on this machine",
    )
    return parser


if __name__ == "__main__":
    for ended_by in (signal.SIGTERM, signal.SIGHUP):  # suites end with it, whatever ends it
        if signal.getsignal(ended_by) != signal.SIG_IGN:
            signal.signal(ended_by, signal.default_int_handler)
    run_command(main)
