"""python bench/all_suites.py --out DIR: the short form of all suites on this machine, and a page.

Each suite is a run of `bench/run.py --quick` of its own. One that fails costs no other's report: it
is named on the page and at the end, with the log that it left. So is one that this machine has no
tools for, which is no failure.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.model_check import ModelCheckError, check_machine
from bench.page import write_page
from bench.provenance import command_line, is_one_state, revision
from bench.reports import Report, ReportError, read_report
from model.cli import EXIT_FAILURE, phase, run_command
from model.errors import InputError
from model.output_folder import make_output_folder

RUN = Path(__file__).parent / "run.py"
LIMIT_S = 1200  # of a suite: it hangs then
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
    "model-check":  65,
    "accuracy":     70,
}
# fmt: on


class SuiteError(InputError):
    """A suite that ended without a report."""


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
    without = not_measurable()
    for suite, reason in without.items():
        print(f"without {suite}: {reason}")
    suites = [suite for suite in SUITES if suite not in without]
    kept = _kept(options.out) if options.resume else {}
    try:
        reports, failed = measure_all(suites, options.out, kept)
    except KeyboardInterrupt:
        print(f"\ngo on with: python bench/all_suites.py --out {options.out} --resume")
        raise
    if reports:
        missing = without | {suite: f"it failed: {reason}" for suite, reason in failed.items()}
        write_page(list(reports.values()), page, missing)
        print(page)
    if failed:
        print(f"error: {len(failed)} of {len(suites)} suites failed:", file=sys.stderr)
        for suite, reason in failed.items():
            print(f"  {suite}: {reason}", file=sys.stderr)
        sys.exit(EXIT_FAILURE)


def not_measurable() -> dict[str, str]:
    """The suites that this machine has no tools for, each with what is missing."""
    try:
        check_machine()
    except ModelCheckError as error:
        return {"model-check": str(error)}
    return {}


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
    report.unlink(missing_ok=True)
    command = [sys.executable, str(RUN), *_words(suite, out)]
    try:
        with log.open("w", encoding="utf-8") as file:
            done = subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False
            )
    except subprocess.TimeoutExpired as error:
        raise SuiteError(f"it did not end within {LIMIT_S} s; see {log}") from error
    if done.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise SuiteError(f"{said[-1] if said else f'exit code {done.returncode}'}; see {log}")
    try:
        return read_report(str(report))
    except ReportError as error:
        raise SuiteError(f"{error}; see {log}") from error


def _words(suite: str, out: Path) -> list[str]:
    return [suite, "--target", "host", "--quick", "--json", str(out / f"{suite}.json")]


def _kept(out: Path) -> dict[str, Report]:
    """The reports in `out` that this very code has made, by suite; none of uncommitted changes."""
    of, kept = revision(), {}
    for suite in SUITES if is_one_state(of) else ():
        try:
            report = read_report(str(out / f"{suite}.json"))
        except ReportError:
            continue
        command = command_line("bench/run.py", _words(suite, out))
        if (report.context.get("revision"), report.context.get("command")) == (of, command):
            kept[suite] = report
    return kept


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="all_suites.py",
        description="Measures the short form of all suites on this machine: a report and a log of "
        "each, and one page of all, in minutes.",
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="for reports, logs and index.html")
    add("--resume", action="store_true", help="keep the reports in DIR that this commit has made")
    return parser


if __name__ == "__main__":
    run_command(main)
