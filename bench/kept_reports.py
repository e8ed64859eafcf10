"""What an earlier run of suites left in its folder: what of it still holds, and what has to go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.context import measurement_context
from bench.provenance import is_one_state
from bench.reports import Report, ReportError, read_report
from model.partial_results import evaluation_of

SAME = ("revision", "command", "cpu", "cores", "versions", "engines")  # of what is kept
ENDINGS = (".json", ".log", ".png")  # of the files of a suite


def kept_reports(out: Path, commands: Mapping[str, str]) -> dict[str, Report]:
    """The reports in `out` that the suite's command in `commands` would make again, by suite.

    This very code has made them on this machine with these packages: none is of uncommitted code.
    """
    here = measurement_context("")
    kept = {}
    for suite, command in commands.items() if is_one_state(here["revision"]) else ():
        try:
            report = read_report(str(out / f"{suite}.json"))
        except ReportError:
            continue
        wanted = here | {"command": command}
        if all(report.context.get(name) == wanted[name] for name in SAME):
            kept[suite] = report
    return kept


def remove_files(out: Path, suite: str) -> None:
    """What an earlier run of `suite` made."""
    for ending in ENDINGS:
        (out / f"{suite}{ending}").unlink(missing_ok=True)


def remove_partials(out: Path, suites: Iterable[str], of: str | None) -> None:
    """Removes what interrupted runs of `suites` left in `out`, but what is of revision `of`.

    A suite would refuse it.
    """
    for suite in suites:
        for path in out.glob(f"{suite}.json*.partial"):
            if of is None or evaluation_of(path).get("revision") != of:
                path.unlink()
