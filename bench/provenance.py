"""Where a report comes from: the command that made it, and the revision of the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# What figures are made by. Reports and pages change whenever a report is made: they are not of it.
CODE = ("bench", "compile", "deploy_rpc", "model", "tuning_logs", ":(exclude)bench/results")
UNKNOWN, DIRTY = "unknown", "-dirty"
LIMIT_S = 10


def command_line(program: str, arguments: Sequence[str] | None = None) -> str:
    """`python PROGRAM ARGUMENTS` as a shell takes it; by default this process's own arguments.

    A file given by a full path is named as seen from the repository; of one outside it only the
    last name is told.
    """
    words = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["python", program, *map(_without_folders, words)])


def revision(repository: Path = REPOSITORY) -> str:
    """The commit, with `-dirty` where code differs from it; `unknown` without git or a checkout."""
    commit = _git(repository, "rev-parse", "--short=12", "HEAD")
    changes = _git(repository, "status", "--porcelain", "--", *CODE)
    if not commit or changes is None:
        return UNKNOWN
    return f"{commit}{DIRTY}" if changes else commit


def is_one_state(revision: str) -> bool:
    """Whether `revision` says what the code was: what another run left may then go on in this."""
    return revision != UNKNOWN and not revision.endswith(DIRTY)


def _without_folders(word: str) -> str:
    """`word`, or the path in `--option=PATH`, without what only this machine has."""
    option, path = re.fullmatch(r"(--[\w-]+=)?(.*)", word, re.DOTALL).groups(default="")
    if not path.startswith("/") and ".." not in Path(path).parts:
        return word
    place = Path(path).resolve()
    inside = place.is_relative_to(REPOSITORY)
    return option + str(place.relative_to(REPOSITORY) if inside else place.name)


def _git(repository: Path, *words: str) -> str | None:
    """What git says of `repository`; None where it cannot."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=repository, capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
