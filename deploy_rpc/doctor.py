"""python deploy_rpc/doctor.py [--board BOARD]: what is here, what is missing, and what mends it.

Every part is tried, not only looked for: the compilers compile, the plugin counts, the emulated
board computes. Exits 1 where a part is broken, or where the board that was named does not work;
what is merely missing is optional.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import tvm_ffi
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy_rpc.block_counts import missing_counting_tools
from deploy_rpc.block_prices import ANALYSER, missing_pricing_tools
from deploy_rpc.board_spec import BoardSpec, parse_board
from deploy_rpc.bundle import ZIG_TARGETS, board_bundle, bundle_folder
from deploy_rpc.compiled_once import compiled_once, zig
from deploy_rpc.core_models import modelled_cores
from deploy_rpc.cores import find_core
from deploy_rpc.cycles import modelled_cycles
from deploy_rpc.emulated_board import DEFAULT_EMULATED_CORE
from deploy_rpc.emulator import (
    QEMU,
    aarch64_sysroot,
    emulated_cores,
    missing_emulation_tools,
    running_agent,
)
from deploy_rpc.host import machine_isa
from deploy_rpc.session import Session, open_session
from deploy_rpc.session_remote import diagnosis, tracker_summary
from model.cli import EXIT_FAILURE, argument, new_file, positive_int, run_command, write_json
from model.console import table_console
from model.errors import InputError

FOUND, MISSING, BROKEN = "found", "missing", "broken"
STYLES = {FOUND: "green", MISSING: "yellow", BROKEN: "red"}
PACKAGES = ("apache-tvm", "apache-tvm-ffi", "torch", "ziglang", "xgboost-cpu")
GNU_COMPILER = "aarch64-linux-gnu-gcc"
CHECK_KERNEL = Path(__file__).parent / "check_kernel.c"
EMPTY_PROGRAM = "int main(void) { return 0; }\n"
MARKED_PROGRAM = """
int main(void) {
    __asm__ volatile("hint #0x70\\n nop\\n hint #0x71");
    return 0;
}
"""
STATES = (  # what a board tells: unit, and what its number is multiplied by, 0 for a text
    ("governor", "", 0),
    ("frequency", " MHz", 1e-3),
    ("temperature", " °C", 1e-3),
    ("load", "", 1),
)
REMEDIES = {
    "rpc": "start the agent on the board, and the tunnel to it: deploy_rpc/agent/README.md",
    "tracker": "python deploy_rpc/serve.py tracker, and a board that registers with it",
}
VALUES = 1000
ROUND_TRIPS = 20
VERSION_LIMIT_S = 20


@dataclass(frozen=True)
class Finding:
    """One part: found, missing or broken; `remedy` is a command, or what to do, or empty."""

    part: str
    state: str
    detail: str
    remedy: str = ""


def main(arguments: list[str] | None = None) -> None:
    """Prints a row a part as it is tried; exits 1 where something is broken."""
    options = _parser().parse_args(arguments)
    findings = list(_shown([*machine_checks()]))
    if options.board:
        findings += _shown([lambda: check_board(options.board, options.timeout)])
    _print_summary(findings)
    if options.json:
        write_json(options.json, {"findings": [asdict(finding) for finding in findings]})
    broken = any(finding.state == BROKEN for finding in findings)
    sys.exit(EXIT_FAILURE if broken else 0)


def machine_checks() -> Sequence[Callable[[], Iterator[Finding]]]:
    """What is tried on this machine, each yielding its findings."""
    return (
        _packages,
        _zig,
        _gnu_compiler,
        _qemu,
        _sysroot,
        _pricing,
        _plugin,
        _bundle,
        _emulated_board,
    )


def check_board(board: BoardSpec, timeout_s: float) -> Iterator[Finding]:
    """Whether `board` can be reached and computes, how far away it is, and how it fares."""
    try:
        if board.kind == "tracker":
            keys = tracker_summary(board, timeout_s)
            what = f"tracker {board.host}:{board.port}"
            yield Finding(what, FOUND, ", ".join(keys.values()) or "no board has registered")
        with open_session(board, timeout_s=timeout_s) as session:
            isa = session.isa or "machine not told: not our agent"
            yield Finding(f"board {board}", FOUND, isa)
            yield from _round_trip(session)
            yield from _state(session)
            yield from _kernel(session)
    except InputError as error:
        reason = str(error).removesuffix(f"; {diagnosis(board)}")
        yield Finding(f"board {board}", BROKEN, reason, REMEDIES.get(board.kind, ""))


def _packages() -> Iterator[Finding]:
    yield Finding("Python", FOUND, platform.python_version())
    for package in PACKAGES:
        try:
            yield Finding(package, FOUND, version(package))
        except PackageNotFoundError:
            yield Finding(package, MISSING, "not installed", f"pip install {package}")


def _zig() -> Iterator[Finding]:
    """For every kind of board: it is the compiler of the agent and the default linker."""
    for target in ZIG_TARGETS.values():
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "empty.c"
            source.write_text(EMPTY_PROGRAM, encoding="ascii")
            try:
                zig(["-target", target, str(source), "-o", str(Path(folder) / "empty")])
            except InputError as error:
                yield Finding(
                    f"linker zig, {target}",
                    BROKEN,
                    str(error),
                    "pip install --force-reinstall ziglang",
                )
            else:
                yield Finding(f"linker zig, {target}", FOUND, version("ziglang"))


def _gnu_compiler() -> Iterator[Finding]:
    yield _program(GNU_COMPILER, "gcc-aarch64-linux-gnu", "optional: --linker gnu instead of zig")


def _qemu() -> Iterator[Finding]:
    found = _program(QEMU, "qemu-user", "no emulated and no modelled boards")
    yield found
    if found.state == FOUND:
        yield Finding("cores that can be emulated", FOUND, ", ".join(emulated_cores()))


def _sysroot() -> Iterator[Finding]:
    missing = [text for text in missing_emulation_tools() if QEMU not in text]
    for text in missing:
        yield Finding("sysroot for emulated boards", MISSING, *_problem_and_remedy(text))
    if not missing:
        yield Finding("sysroot for emulated boards", FOUND, str(aarch64_sysroot()))


def _pricing() -> Iterator[Finding]:
    missing = missing_pricing_tools()
    for text in missing:
        yield Finding("cycle model", MISSING, *_problem_and_remedy(text))
    if not missing:
        yield _program(ANALYSER, "llvm-19", "no modelled boards")
        yield Finding("cores that can be modelled", FOUND, ", ".join(modelled_cores()))


def _plugin() -> Iterator[Finding]:
    """The counting plugin, on a region of two instructions."""
    faults = missing_counting_tools()
    for text in faults:
        yield Finding("cycle counting plugin", MISSING, *_problem_and_remedy(text))
    if faults:
        return
    if missing_pricing_tools():
        yield Finding("cycle counting plugin", MISSING, "needs what is missing above")
        return
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "marked.c", Path(folder) / "marked"
        source.write_text(MARKED_PROGRAM, encoding="ascii")
        try:
            zig(["-target", "aarch64-linux-musl", "-static", str(source), "-o", str(program)])
            report = modelled_cycles(program, [], find_core(DEFAULT_EMULATED_CORE))
        except InputError as error:
            yield Finding("cycle counting plugin", BROKEN, str(error), "apt-get install qemu-user")
            return
    yield Finding("cycle counting plugin", FOUND, f"counted {report.instructions} instructions")


def _bundle() -> Iterator[Finding]:
    folder = bundle_folder()
    if folder.is_dir():
        yield Finding("board's runtime and agent", FOUND, str(folder))
    else:
        yield Finding(
            "board's runtime and agent",
            MISSING,
            "fetched on first use, 100 MB",
            "python deploy_rpc/serve.py agent --bundle board.tar.gz",
        )


def _emulated_board() -> Iterator[Finding]:
    what = f"emulated:{DEFAULT_EMULATED_CORE}"
    if missing_emulation_tools() or not bundle_folder().is_dir():
        yield Finding(what, MISSING, "needs what is missing above")
        return
    start = time.perf_counter()
    try:
        board_bundle()
        with running_agent(DEFAULT_EMULATED_CORE, timeout_s=60):
            seconds = time.perf_counter() - start
    except InputError as error:
        yield Finding(what, BROKEN, str(error), "apt-get install --reinstall qemu-user")
        return
    yield Finding(what, FOUND, f"up in {seconds:.2f} s")


def _round_trip(session: Session) -> Iterator[Finding]:
    samples = [session.round_trip_s() for _ in range(ROUND_TRIPS)]
    median, longest = statistics.median(samples) * 1e3, max(samples) * 1e3
    detail = f"median {median:.2f} ms, longest {longest:.2f} ms of {ROUND_TRIPS}"
    yield Finding("round trip", FOUND, detail)


def _state(session: Session) -> Iterator[Finding]:
    """What the board tells of its clock, its temperature and its load."""
    for name, unit, factor in STATES:
        text = session.board_file(name)
        if not text:
            yield Finding(name, MISSING, "the board does not tell")
        elif name == "governor" and text != "performance":
            remedy = "on the board: sudo cpufreq-set -g performance"
            yield Finding(
                name, FOUND, f"{text}: the clock may change while times are taken", remedy
            )
        else:
            number = f"{float(text.split()[0]) * factor:g}" if factor else text
            yield Finding(name, FOUND, f"{number}{unit}")


def _kernel(session: Session) -> Iterator[Finding]:
    isa = session.isa or machine_isa()
    if isa not in ZIG_TARGETS:
        yield Finding("test kernel", MISSING, f"none for {isa}")
        return
    include = tvm_ffi.libinfo.find_include_path()
    words = ("-target", ZIG_TARGETS[isa], "-std=c11", "-shared", "-fPIC", "-I", include)
    library = compiled_once(CHECK_KERNEL, words, ".so")
    x = np.arange(VALUES, dtype=np.float32)
    y = session.load(library, output_shapes=[(VALUES,)]).run(x)
    if np.array_equal(y, 2 * x + 1):
        yield Finding("test kernel", FOUND, f"{VALUES} values, all right")
    else:
        wrong = int((y != 2 * x + 1).sum())
        yield Finding(
            "test kernel", BROKEN, f"{wrong} of {VALUES} values are wrong", "do not use it"
        )


def _program(name: str, package: str, without: str) -> Finding:
    path = shutil.which(name)
    remedy = f"apt-get install {package}"
    if path is None:
        return Finding(name, MISSING, f"not on the PATH; {without}", remedy)
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, BROKEN, str(error), f"apt-get install --reinstall {package}")
    lines = [line.strip() for line in done.stdout.splitlines() if "version" in line.lower()]
    return Finding(name, FOUND, (lines or done.stdout.splitlines() or [path])[0])


def _problem_and_remedy(sentence: str) -> tuple[str, str]:
    """A sentence of the form `PROBLEM (Debian: REMEDY)` in two."""
    problem, _, remedy = sentence.partition(" (Debian: ")
    return problem, remedy.removesuffix(")")


def _shown(checks: Sequence[Callable[[], Iterator[Finding]]]) -> Iterator[Finding]:
    console = Console(highlight=False)
    for check in checks:
        for finding in check():
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
