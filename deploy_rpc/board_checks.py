"""A board as the doctor tries it: whether it answers and computes, how far and how well it is."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tvm_ffi

from deploy_rpc.board_errors import reason_of
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.bundle import ZIG_TARGETS
from deploy_rpc.compiled_once import compiled_once
from deploy_rpc.findings import BROKEN, FOUND, MISSING, Finding
from deploy_rpc.host import machine_isa
from deploy_rpc.session import Session, open_session
from deploy_rpc.shared_key import KeyRefusedError
from deploy_rpc.tracker_client import tracker_summary
from model.errors import InputError

CHECK_KERNEL = Path(__file__).parent / "check_kernel.c"
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
KEY_REMEDY = "the same key file at both ends: --key-file there, ?key-file=FILE behind BOARD here"
VALUES = 1000
ROUND_TRIPS = 20


def check_board(board: BoardSpec, timeout_s: float) -> Iterator[Finding]:
    """Whether `board` can be reached and computes, how far away it is, and how it fares."""
    try:
        if board.kind == "tracker":
            yield tracker_finding(board, timeout_s)
        with open_session(board, timeout_s=timeout_s) as session:
            isa = session.isa or "machine not told: not our agent"
            times = (
                "" if session.kind_of_time == board.kind_of_time else ", emulated: it has no times"
            )
            yield Finding(f"board {board}", FOUND, isa + times)
            yield from _round_trip(session)
            yield from _state(session)
            yield from _kernel(session)
    except InputError as error:
        reason = reason_of(error, board)
        of_key = isinstance(error, KeyRefusedError)
        remedy = KEY_REMEDY if of_key else REMEDIES.get(board.kind, "")
        yield Finding(f"board {board}", BROKEN, reason, remedy)


def tracker_finding(spec: BoardSpec, timeout_s: float) -> Finding:
    """The tracker of `spec` and the keys of its boards; raises `BoardError` where none answers."""
    keys = tracker_summary(spec, timeout_s)
    return Finding(tracker_part(spec), FOUND, ", ".join(keys.values()) or "no board has registered")


def tracker_part(spec: BoardSpec) -> str:
    """What the doctor calls the tracker of `spec`."""
    return f"tracker {spec.host}:{spec.port}"


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
            yield Finding(name, FOUND, f"{_number(text, factor)}{unit}" if factor else text)


def _number(text: str, factor: float) -> str:
    """The first word of `text` as a number times `factor`; `text` where it is none."""
    try:
        return f"{float(text.split()[0]) * factor:g}"
    except ValueError:
        return text


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
