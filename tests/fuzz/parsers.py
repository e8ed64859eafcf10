"""What is fuzzed: each parser, its strategy. It takes a value or raises `InputError`, no more."""

from __future__ import annotations

import json
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from bench.compare import THRESHOLD, comparison_table
from bench.comparison import compare, context_warnings
from bench.report_page.render import render
from bench.reports import read_report
from compile.frontend.onnx_file import load_onnx, picture_input
from compile.frontend.onnx_import import import_onnx
from compile.targets import parse_target
from compile.tuning.decisions import default_of, tile_of
from compile.tuning.log import TuningLog
from deploy_rpc.board_spec import BoardSpec, parse_board
from deploy_rpc.built_library import read_built_library
from deploy_rpc.package_examples import example_files
from deploy_rpc.session_remote import connect_board
from deploy_rpc.shared_key import GREETING, NONCE, prove
from deploy_rpc.tracker_client import tracker_summary
from model.checkpoint_facts import facts_of
from model.checkpoint_file import bare_tensors, read_checkpoint_file
from model.errors import InputError
from model.labels import read_class_names, read_true_classes
from model.partial_results import evaluation_of, partial_results
from model.predictions import accuracy, agreement
from model.preprocess import PREPROCESSINGS, load_image
from model.zoo import model_name
from tests.fuzz.agent import AGENT, greets
from tests.fuzz.edits import CORPUS, edited_bytes, edited_json, odd_values, seeds
from tests.fuzz.interface import INTERFACE, RIGHT_CALL, calls, makes_calls
from tests.fuzz.onnx_models import edited_onnx
from tests.fuzz.packed import RIGHT, arguments, calls_packed

TRACKER_LIMIT_S = 1
REPORTED_LIBRARY = b"a fuzzed report's library\n"  # the corpus' reports have its digest


@dataclass(frozen=True)
class Parser:
    """`parse` is given what `strategy` draws; `examples` are those of the short run.

    It takes each of `sound`, or edits of them would all be refused for the same reason. `end`
    raises where a program that it keeps running has leaked.
    """

    strategy: st.SearchStrategy
    parse: Callable[..., object]
    examples: int
    sound: Sequence[object] = ()
    end: Callable[[], None] = lambda: None


def _file(content: bytes, suffix: str) -> Path:
    """The same path each time, so that nothing piles up."""
    path = Path(tempfile.gettempdir()) / f"fuzzed{suffix}"
    path.write_bytes(content)
    return path


def _tuning_log(content: bytes) -> None:
    for record in TuningLog(_file(content, ".jsonl")).read().records:
        default_of(record)
        tile_of(record)


def _report(content: bytes) -> None:
    """And the programs of the package, of which the one in Python has to be one."""
    library = _file(REPORTED_LIBRARY, ".so")
    _file(content, ".json")
    built = read_built_library(library)
    if built.prefix is not None:
        for name, program in example_files(built, library.stem).items():
            if name.endswith(".py"):
                compile(program, name, "exec")


def _bench_report(content: bytes) -> None:
    """What a page and a comparison make of it."""
    report = read_report(str(_file(content, ".bench.json")))
    render([report], {})
    list(context_warnings(SOUND_REPORT, report))
    comparison_table(compare(report, report, THRESHOLD), THRESHOLD)


def _partial_results(content: bytes) -> None:
    path = _file(content, ".partial")
    evaluation_of(path)
    with partial_results(path, json.loads(PARTIAL_LINES[0])) as results:
        done = list(results.done.values())
    accuracy(done)
    agreement(done)


def _picture(content: bytes) -> None:
    load_image(_file(content, ".png"), PREPROCESSINGS["imagenet"], (32, 48))


def _onnx_file(content: bytes) -> None:
    picture_input(load_onnx(_file(content, ".onnx")).model, None)


def _onnx_import(content: bytes) -> None:
    path = _file(content, ".onnx")
    import_onnx(path, input_size=None, preprocessing="imagenet")


def _checkpoint(content: bytes) -> None:
    path = _file(content, ".pth")
    held, metadata = read_checkpoint_file(path)
    bare_tensors(held, path)
    facts_of(metadata, path)


def _labels(content: bytes) -> None:
    path = _file(content, ".csv")
    _tried_by_all(
        partial(read_class_names, path, 3),
        partial(read_true_classes, path, 3),
    )


def _words(text: str) -> None:
    _tried_by_all(*(partial(parse, text) for parse in (parse_board, parse_target, model_name)))


def _tried_by_all(*parses: Callable[[], object]) -> None:
    """Raises what the last one said where none of them takes it."""
    refusals = []
    for parse in parses:
        try:
            parse()
        except InputError as error:
            refusals.append(error)
    if len(refusals) == len(parses):
        raise refusals[-1]


def _tracker(answers: list[bytes]) -> None:
    """Something that answers as a tracker does, or nearly."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener, answers, 2), daemon=True).start()
        spec = BoardSpec("tracker", "127.0.0.1", listener.getsockname()[1], "rpi4")
        with suppress(InputError):
            tracker_summary(spec, TRACKER_LIMIT_S)
        with ExitStack() as until_closed:
            connect_board(spec, TRACKER_LIMIT_S, until_closed)


def _answer(listener: socket.socket, answers: list[bytes], connections: int) -> None:
    magic = struct.pack("<i", 0x2F271)
    with suppress(OSError):
        for _ in range(connections):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(magic + b"".join(answers))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(256):
                    pass


def _key(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        prove(ours, b"k" * 32, 1)


def _with_length(content: bytes) -> bytes:
    return struct.pack("<i", len(content)) + content


TRACKER_ANSWERS = st.lists(
    st.one_of(
        edited_json(seeds("tracker")).map(_with_length),
        edited_bytes([_with_length(answer) for answer in seeds("tracker")]),
    ),
    max_size=3,
)
SOUND_REPORT = read_report(str(CORPUS / "bench.fusion.json"))
PARTIAL_LINES = seeds("partial")[0].splitlines()
PARTIAL_RESULTS = st.tuples(
    st.just(PARTIAL_LINES[0]) | edited_json(PARTIAL_LINES[:1]),
    edited_json(PARTIAL_LINES[1:]),
    edited_json(PARTIAL_LINES[1:]),
).map(lambda lines: b"".join(line + b"\n" for line in lines))
WORDS = ("tracker://127.0.0.1:9190/rpi4?key-file=k", "rpc://[::1]:9090", "emulated:cortex-a72",
         '{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a72"}',
         "shufflenet-1.0x-g3", "mobilenet-0.25", "rpi4", "arm_cpu")  # fmt: skip

PARSERS = {
    "tuning log": Parser(
        st.one_of(
            edited_json(seeds("record")).map(lambda line: line + b"\n"),
            edited_bytes(seeds("record")),
        ),
        _tuning_log,
        150,
        seeds("record"),
    ),
    "build report": Parser(
        st.one_of(edited_json(seeds("report")), edited_bytes(seeds("report"))),
        _report,
        100,
        seeds("report"),
    ),
    "bench report": Parser(
        st.one_of(edited_json(seeds("bench")), edited_bytes(seeds("bench"))),
        _bench_report,
        60,
        seeds("bench"),
    ),
    "partial results": Parser(
        st.one_of(PARTIAL_RESULTS, edited_bytes(seeds("partial"))),
        _partial_results,
        80,
        seeds("partial"),
    ),
    "picture": Parser(edited_bytes(seeds("picture")), _picture, 100, seeds("picture")),
    "ONNX file": Parser(edited_bytes(seeds("network")), _onnx_file, 100, seeds("network.onnx")),
    "ONNX import": Parser(edited_onnx(seeds("graph")), _onnx_import, 12, seeds("graph")),
    "checkpoint": Parser(edited_bytes(seeds("checkpoint")), _checkpoint, 80, seeds("checkpoint")),
    "labels": Parser(edited_bytes(seeds("labels")), _labels, 100, seeds("labels")),
    "command line": Parser(
        st.one_of(
            edited_bytes([word.encode() for word in WORDS]).map(
                lambda word: word.decode("utf-8", "replace")
            ),
            odd_values.map(str),
        ),
        _words,
        60,
        WORDS,
    ),
    "tracker": Parser(TRACKER_ANSWERS, _tracker, 12),  # no board is where it says
    "agent's proof": Parser(edited_bytes([GREETING + bytes(2 * NONCE)]), _key, 50),  # not guessed
    "agent": Parser(
        st.lists(edited_bytes(seeds("hello")), min_size=1, max_size=8),
        greets,
        60,
        [seeds("hello")],
        AGENT.end,
    ),
    "C interface": Parser(calls, makes_calls, 60, [[RIGHT_CALL]], INTERFACE.end),
    "C interface, by TVM": Parser(arguments, calls_packed, 60, [RIGHT]),
}
