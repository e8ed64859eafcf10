"""python .ci/dependencies.py: what is installed here, locked and with its licences.

Writes `.ci/constraints-PYTHON.txt`, the versions that CI installs on that Python, and
`DEPENDENCIES.md`. Of the packages that the project asks for, extras included, and all they need.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "shufflenet-compiled"
EXTRAS = ("", "dev", "peers", "plots", "train")
LONGEST_LICENCE = 60  # some packages give the whole text
ROOT = Path(__file__).resolve().parents[1]
HEADER = """# Dependencies

Made by `python .ci/dependencies.py` from an environment with all extras; versions are those that
CI is locked to. `pip-audit --strict --no-deps --disable-pip -r .ci/constraints-3.11.txt` (`pip
install pip-audit`) asks the advisory databases about them; without `--strict` it passes what it
could not look up.

| package | version | licence | asked for by |
|---|---|---|---|
"""


def main() -> None:
    """Writes both files."""
    asked = _asked_for(PROJECT, EXTRAS)
    versions = {name: _version(name) for name in sorted(asked)}
    lock = ROOT / ".ci" / f"constraints-{sys.version_info.major}.{sys.version_info.minor}.txt"
    lock.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
    rows = (
        f"| {name} | {version} | {_licence(name)} | {', '.join(sorted(asked[name]))} |\n"
        for name, version in versions.items()
    )
    (ROOT / "DEPENDENCIES.md").write_text(HEADER + "".join(rows), encoding="utf-8")


def _asked_for(project: str, extras: tuple[str, ...]) -> dict[str, set[str]]:
    """Each installed package that `project` needs, with who asks for it."""
    asked: dict[str, set[str]] = {}
    waiting = [(project, extra) for extra in extras]
    while waiting:
        name, extra = waiting.pop()
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            needed = canonicalize_name(requirement.name)
            try:
                distribution(needed)
            except PackageNotFoundError:
                continue
            if needed not in asked:
                waiting += [(needed, each) for each in ("", *requirement.extras)]
            asked.setdefault(needed, set()).add("us" if name == PROJECT else name)
    return asked


def _version(name: str) -> str:
    """Without what names a variant, as in 2.13.0+cpu: an index offers one or the other."""
    return distribution(name).version.partition("+")[0]


def _licence(name: str) -> str:
    """What the package's metadata says, shortest first: expression, classifiers, text."""
    metadata = distribution(name).metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    text = metadata.get("License-Expression") or ", ".join(classifiers) or metadata.get("License")
    first = (text or "not stated").strip().splitlines()[0]
    return first if len(first) <= LONGEST_LICENCE else first[:LONGEST_LICENCE] + "..."


if __name__ == "__main__":
    main()
