"""This machine as the doctor tries it, part by part: each runs, it is not only looked for."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deploy_rpc.arm_python import ArmPython, fetched_pythons, missing_arm_python_tools
from deploy_rpc.block_counts import counting_plugin, missing_counting_tools
from deploy_rpc.block_prices import ANALYSER, missing_pricing_tools
from deploy_rpc.board_checks import tracker_finding, tracker_part
from deploy_rpc.board_errors import reason_of
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.bundle import ZIG_TARGETS, board_bundle, bundle_folder
from deploy_rpc.compiled_once import zig
from deploy_rpc.core_models import model_doubts, modelled_cores
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
from deploy_rpc.findings import BROKEN, FOUND, MISSING, Finding
from deploy_rpc.isa import AARCH64
from deploy_rpc.part_versions import agent_version, glibc_version, plugin_version
from deploy_rpc.serve_options import LOOPBACK, TRACKER_PORT
from model.errors import InputError

PACKAGES = ("apache-tvm", "apache-tvm-ffi", "torch", "ziglang", "xgboost-cpu")
GNU_COMPILER = "aarch64-linux-gnu-gcc"
EMPTY_PROGRAM = "int main(void) { return 0; }\n"
MARKED_PROGRAM = """
int main(void) {{
    __asm__ volatile("{}\\n nop\\n {}");
    return 0;
}}
""".format(*AARCH64.markers)
VERSION_LIMIT_S = 60
TRACKER_LIMIT_S = 5
SYSROOT = "sysroot for emulated boards"
PRICING, PLUGIN = "cycle model", "cycle counting plugin"
EMULATED_BOARD = f"emulated:{DEFAULT_EMULATED_CORE}"
AGENT = "board's runtime and agent"
ARM_PYTHON = "other engines' aarch64 wheels"
PEERS_COMMAND = (
    "python bench/run.py peers --target cortex-a72 --board modelled --json build/peers.json"
)
TRACKER_COMMAND = "python deploy_rpc/serve.py tracker"
REINSTALL_ZIG = "pip install --force-reinstall ziglang"


def machine_findings() -> Iterator[Finding]:
    """All parts, each as it is tried; a check that fails ends with its part as broken."""
    for part, check, remedy in CHECKS:
        try:
            yield from check()
        except InputError as error:
            yield Finding(part, BROKEN, str(error), remedy)


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
                yield Finding(f"linker zig, {target}", BROKEN, str(error), REINSTALL_ZIG)
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
        yield Finding(SYSROOT, MISSING, *_problem_and_remedy(text))
    if not missing:
        sysroot = aarch64_sysroot()
        yield Finding(SYSROOT, FOUND, f"{sysroot}, glibc {glibc_version(sysroot)}")


def _pricing() -> Iterator[Finding]:
    missing = missing_pricing_tools()
    for text in missing:
        yield Finding(PRICING, MISSING, *_problem_and_remedy(text))
    if not missing:
        yield _program(ANALYSER, "llvm-19", "no modelled boards")
        yield Finding("cores that can be modelled", FOUND, ", ".join(modelled_cores()))
        for name in modelled_cores():
            for doubt in model_doubts(find_core(name)):
                yield Finding(f"model of {name}", FOUND, f"offered with a doubt: {doubt}")


def _plugin() -> Iterator[Finding]:
    """The counting plugin, on a region of two instructions."""
    faults = missing_counting_tools()
    for text in faults:
        yield Finding(PLUGIN, MISSING, *_problem_and_remedy(text))
    if faults:
        return
    if missing_pricing_tools():
        yield Finding(PLUGIN, MISSING, "needs what is missing above")
        return
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "marked.c", Path(folder) / "marked"
        source.write_text(MARKED_PROGRAM, encoding="ascii")
        zig(["-target", "aarch64-linux-musl", "-static", str(source), "-o", str(program)])
        report = modelled_cycles(program, [], find_core(DEFAULT_EMULATED_CORE))
    counted = f"counted {report.instructions} instructions"
    yield Finding(PLUGIN, FOUND, f"{plugin_version(counting_plugin())}, {counted}")


def _bundle() -> Iterator[Finding]:
    folder = bundle_folder()
    if folder.is_dir():
        yield Finding(AGENT, FOUND, f"{agent_version(folder)}, in {folder}")
    else:
        remedy = "python deploy_rpc/serve.py agent --bundle board.tar.gz"
        yield Finding(AGENT, MISSING, "fetched on first use, 100 MB", remedy)


def _emulated_board() -> Iterator[Finding]:
    if missing_emulation_tools() or not bundle_folder().is_dir():
        yield Finding(EMULATED_BOARD, MISSING, "needs what is missing above")
        return
    start = time.perf_counter()
    board_bundle()
    with running_agent(DEFAULT_EMULATED_CORE, timeout_s=60):
        seconds = time.perf_counter() - start
    yield Finding(EMULATED_BOARD, FOUND, f"up in {seconds:.2f} s")


def _tracker() -> Iterator[Finding]:
    """Whether one listens where `serve.py tracker` does by itself; any other is `--board`'s."""
    spec = BoardSpec("tracker", LOOPBACK, TRACKER_PORT, "any")
    try:
        yield tracker_finding(spec, TRACKER_LIMIT_S)
    except BoardError as error:
        reason = f"only for several boards; {reason_of(error, spec)}"
        yield Finding(tracker_part(spec), MISSING, reason, TRACKER_COMMAND)


def _arm_python() -> Iterator[Finding]:
    """What `bench/run.py peers` runs on modelled boards."""
    pythons = fetched_pythons()
    if not pythons:
        reason = "; ".join(missing_arm_python_tools()) or "fetched on first use, 400 MB"
        yield Finding(ARM_PYTHON, MISSING, reason, PEERS_COMMAND)
    for python in pythons:
        if missing_emulation_tools():
            yield Finding(ARM_PYTHON, MISSING, "needs what is missing above")
        else:
            yield _python_under_qemu(python)


def _python_under_qemu(python: ArmPython) -> Finding:
    command = [QEMU, "-cpu", DEFAULT_EMULATED_CORE, "-L", python.root, "-E", "PYTHONHOME=/usr"]
    command += [python.program, "-ISc", "import sys; print(sys.version.split()[0])"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=VERSION_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(ARM_PYTHON, BROKEN, str(error), f"rm -r {python.root}")
    wheels = sorted(path.stem for path in python.packages.glob("*.dist-info"))
    names = ", ".join(wheel.replace("-", " ") for wheel in wheels)
    return Finding(ARM_PYTHON, FOUND, f"Python {done.stdout.strip()}; {names or 'no packages'}")


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


Check = Callable[[], Iterator[Finding]]
CHECKS: tuple[tuple[str, Check, str], ...] = (  # what mends each where it is broken
    ("packages", _packages, ""),
    ("linker zig", _zig, REINSTALL_ZIG),
    (GNU_COMPILER, _gnu_compiler, "apt-get install --reinstall gcc-aarch64-linux-gnu"),
    (QEMU, _qemu, "apt-get install --reinstall qemu-user"),
    (SYSROOT, _sysroot, "apt-get install --reinstall libc6-arm64-cross"),
    (PRICING, _pricing, "apt-get install --reinstall llvm-19"),
    (PLUGIN, _plugin, "apt-get install --reinstall qemu-user llvm-19"),
    (AGENT, _bundle, REINSTALL_ZIG),
    (EMULATED_BOARD, _emulated_board, "apt-get install --reinstall qemu-user"),
    ("tracker", _tracker, TRACKER_COMMAND),
    (ARM_PYTHON, _arm_python, PEERS_COMMAND),
)
