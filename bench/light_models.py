"""python bench/light_models.py --json FILE: onnx's light models through build.py, end to end.

Nine networks that come with the package onnx, as Caffe2 exported them in 2018, their weights equal
or made by operators of the graph. Each is built as it comes, and again with random weights written
into the graph: equal ones would hide a wrong shuffle. Those of the last layer are scaled: a softmax
of logits in their thousands is 1 for one class and 0 for all others, whatever an error in them. It
is built by the command line that a user has, in a process of its own, so that its time and its peak
of memory are the build's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
import onnxruntime
from onnx import numpy_helper
from rich.table import Table

from bench.boards import BOARDS
from bench.context import measurement_context
from bench.provenance import command_line
from bench.reports import with_kept_rows
from bench.rows import ENGINE, Row
from model.cli import new_file, run_command, write_json
from model.console import table_console
from model.errors import InputError

LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"
NAMES = tuple(sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("light_*.onnx")))
BUILD = Path(__file__).resolve().parent.parent / "compile" / "build.py"
WEIGHTS = ("shipped", "random")  # those of the file, or drawn ones instead
SUBJECT = ("model", "target", "weights")  # what a row is about
DRAWN = (0.5, 1.5)  # factors, shifts, means and variances of batch norms; biases
PLAIN_WIDTH = 140
ERRORS_ONLY = 3  # of ONNX Runtime's severities of what it logs
LIMIT_S = 3600  # of a build; VGG-19 under QEMU takes longest
KILOBYTE = 1024  # of ru_maxrss


class LightModelError(InputError):
    """A light model that does not build, or whose output is not ONNX Runtime's."""


def main(arguments: list[str] | None = None) -> None:
    """Builds them, prints a table, adds each to the report; ends at the first one that fails."""
    options = _parser().parse_args(arguments)
    context = measurement_context(command_line("bench/light_models.py", arguments))
    rows: list[Row] = []
    for weights, target, name in itertools.product(options.weights, options.target, options.model):
        row = _built(name, target, weights)
        print(f"{name} for {target}, {weights} weights: {row['median']:.0f} s", flush=True)
        rows = with_kept_rows(options.json, [row], context, SUBJECT)
        write_json(options.json, {"context": context, "rows": rows})
    table_console(PLAIN_WIDTH).print(light_models_table(rows))


def write_with_random_weights(name: str, path: Path, seed: int = 0) -> None:
    """Writes the light model `name` to `path`, its generated weights drawn from `seed`."""
    model = onnx.load(_shipped(name))
    random = np.random.default_rng(seed)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "ConstantOfShape"]:
        shape = shapes[node.input[0]]
        if len(shape) == 1:
            values = random.uniform(*DRAWN, shape)
        else:
            values = random.standard_normal(shape, np.float32) * (2 / np.prod(shape[1:])) ** 0.5
        drawn = numpy_helper.from_array(values.astype(np.float32), node.output[0])
        model.graph.initializer.append(drawn)
        model.graph.node.remove(node)
    model.ir_version = 8  # from 4 on, weights need not be inputs, too
    _scale_logits(model)
    onnx.save(model, path)


def light_models_table(rows: Sequence[Row]) -> Table:
    """A row a build: what it took, and how near the output is to ONNX Runtime's."""
    table = Table(title="Light models of onnx", title_justify="left")
    for column in ("model", "target", "weights", "verified on"):
        table.add_column(column)
    for column in ("of the range", "kernels", "generic", "shuffles", "build", "CPU", "memory"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["model"],
            row["target"],
            row["weights"],
            row["board"],
            f"{row['relative_error']:.1e}",
            str(row["kernels"]),
            str(len(row["generic"])),
            f"{row['shuffles']['imported']} -> {row['shuffles']['left']}",
            f"{row['median']:.0f} s",
            f"{row['cpu_s']:.0f} s",
            f"{row['peak_bytes'] / 1e9:.1f} GB",
        )
    return table


def _shipped(name: str) -> Path:
    return LIGHT / f"light_{name}.onnx"


def _scale_logits(model: onnx.ModelProto) -> None:
    """Divides the weights of the last layer so that the logits of a picture deviate by 1."""
    makers = {name: node for node in model.graph.node for name in node.output}
    last = makers[model.graph.output[0].name]
    if last.op_type != "Softmax":
        return
    layer = last
    while layer.op_type not in ("Gemm", "Conv"):
        layer = makers[layer.input[0]]
    deviation = _values_of(model, last.input[0]).std()
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for name in layer.input[1:]:
        while name in makers:  # a reshape of what was drawn
            name = makers[name].input[0]
        values = numpy_helper.to_array(tensors[name]) / deviation
        tensors[name].CopyFrom(numpy_helper.from_array(values, name))


def _values_of(model: onnx.ModelProto, name: str) -> np.ndarray:
    """What ONNX Runtime makes of a random picture, at the value `name` of the graph."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (picture,) = session.get_inputs()
    x = np.random.default_rng(0).standard_normal(picture.shape, np.float32)
    return session.run([name], {picture.name: x})[0]


def _built(name: str, target: str, weights: str) -> Row:
    with tempfile.TemporaryDirectory(prefix="light-models-") as folder:
        path, report_path = Path(folder) / f"{name}.onnx", Path(folder) / "report.json"
        if weights == "random":
            write_with_random_weights(name, path)
        else:
            shutil.copyfile(_shipped(name), path)
        words = ["--onnx", path.name, "--target", target, "--board", BOARDS[target]]
        command = [sys.executable, str(BUILD), *words, "--json", report_path.name]
        start = time.perf_counter()
        code, complaint, cpu_s, peak_bytes = _run_measured(command, Path(folder))
        seconds = time.perf_counter() - start
        if code != 0:
            raise LightModelError(
                f"{name} with {weights} weights does not build for {target} (exit {code}): "
                f"{complaint}; to see where, build {_shipped(name)}, or what "
                "`write_with_random_weights` writes, with --dump DIR"
            )
        report = json.loads(report_path.read_text(encoding="utf-8"))
    took = {"median": seconds, "samples": [seconds], "cpu_s": cpu_s, "peak_bytes": peak_bytes}
    return _row(name, target, weights, report) | took


def _run_measured(command: Sequence[str], folder: Path) -> tuple[int, str, float, int]:
    """Of what runs `command` in `folder`: exit code, errors, CPU seconds, most bytes it had.

    The bytes are no fewer than this process had when it started it.
    """
    complaints = folder / "stderr"
    with complaints.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=stderr)
        in_time = threading.Timer(LIMIT_S, process.kill)
        in_time.start()
        _, status, usage = os.wait4(process.pid, 0)
        in_time.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == -signal.SIGKILL:
        raise LightModelError(
            f"killed, behind {LIMIT_S} s or for want of memory; try it by hand: {' '.join(command)}"
        )
    text = complaints.read_text(encoding="utf-8", errors="replace").strip()
    cpu_s = usage.ru_utime + usage.ru_stime
    return process.returncode, text, cpu_s, KILOBYTE * usage.ru_maxrss


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="light_models.py",
        description="Builds onnx's light models, and says what it took.",
    )
    add = parser.add_argument
    add("--model", choices=NAMES, nargs="+", default=NAMES, metavar="NAME",
        help=f"{', '.join(NAMES)} (default: all)")  # fmt: skip
    add("--target", choices=tuple(BOARDS), nargs="+", default=tuple(BOARDS),
        help="verified on this machine, and on the emulated core (default: both)")  # fmt: skip
    add("--weights", choices=WEIGHTS, nargs="+", default=WEIGHTS,
        help="those of the files, and random ones written into them (default: both)")  # fmt: skip
    add("--json", type=new_file, required=True, metavar="FILE",
        help="the report; rows about something else that it has already stay")  # fmt: skip
    return parser


def _row(name: str, target: str, weights: str, report: dict[str, Any]) -> Row:
    shipped = [row for row in report["verification"] if row["level"] == report["level"]]
    return {
        "suite": "light-models",
        "model": name,
        "engine": ENGINE,
        "level": report["level"],
        "target": target,
        "weights": weights,
        "board": shipped[0]["where"],
        "kind": "measured",
        "unit": "s",
        "relative_error": max(row["relative_error"] for row in report["verification"]),
        "kernels": len(report["kernels"]),
        "generic": [k["name"] for k in report["kernels"] if k["source"] == "generic"],
        "shuffles": report["operators"]["shuffles"],
        "library_bytes": report["library_bytes"],
    }


if __name__ == "__main__":
    run_command(main)
