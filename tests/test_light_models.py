"""The command that builds onnx's light models writes weights that differ, and says what failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import checker, numpy_helper
from rich.console import Console

from bench import light_models
from bench.light_models import LightModelError, light_models_table, write_with_random_weights
from bench.reports import read_report

NAME = "shufflenet"
REPORT = """
import json, pathlib, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert words["--board"] == "local"
row = {"level": "fused", "where": "board local"}
pathlib.Path(words["--json"]).write_text(json.dumps({
    "level": "fused",
    "verification": [row | {"relative_error": 2e-6}, row | {"relative_error": 1e-6}],
    "kernels": [{"name": "softmax", "source": "generic"}, {"name": "stem", "source": "default"}],
    "operators": {"shuffles": {"imported": 16, "left": 0}},
    "library_bytes": pathlib.Path(words["--onnx"]).stat().st_size,
}))
held = bytearray(300_000_000)
"""


def test_weights_are_drawn_and_the_same_every_time(tmp_path: Path) -> None:
    for copy in ("first", "second"):
        write_with_random_weights(NAME, tmp_path / copy)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    model = onnx.load(tmp_path / "first")
    checker.check_model(model)
    assert not [node for node in model.graph.node if node.op_type == "ConstantOfShape"]
    weights = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    drawn = [values for values in weights if values.dtype == np.float32]
    assert len(drawn) > 100
    assert all(len(np.unique(values)) > values.size // 2 for values in drawn)


def test_a_build_s_time_memory_and_verification_are_reported_with_both_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, report = tmp_path / "build.py", tmp_path / "report.json"
    program.write_text(REPORT)
    monkeypatch.setattr(light_models, "BUILD", program)
    light_models.main(["--model", NAME, "--target", "host", "--json", str(report)])
    shipped, row = read_report(str(report)).rows
    assert (shipped["weights"], row["weights"]) == ("shipped", "random")
    write_with_random_weights(NAME, tmp_path / "random.onnx")
    files = (light_models.LIGHT / f"light_{NAME}.onnx", tmp_path / "random.onnx")
    assert (shipped["library_bytes"], row["library_bytes"]) == tuple(
        f.stat().st_size for f in files
    )
    assert (row["model"], row["target"], row["kind"], row["unit"]) == (
        NAME,
        "host",
        "measured",
        "s",
    )
    assert (row["relative_error"], row["generic"]) == (2e-6, ["softmax"])
    assert row["peak_bytes"] > 0.3e9
    console = Console(width=140)
    with console.capture() as shown:
        console.print(light_models_table([row]))
    assert "16 -> 0" in shown.get()


def test_a_build_that_fails_is_named_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "build.py"
    program.write_text("import sys; sys.exit('error: no such operator')")
    monkeypatch.setattr(light_models, "BUILD", program)
    words = ["--model", NAME, "--target", "host", "--json", str(tmp_path / "report.json")]
    message = r"shufflenet with shipped weights does not build .*: no such operator"
    with pytest.raises(LightModelError, match=message):
        light_models.main(words)


def test_a_last_layer_whose_weights_are_reshaped_is_scaled_too(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    write_with_random_weights("inception_v1", path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (picture,) = session.get_inputs()
    x = np.random.default_rng(0).standard_normal(picture.shape, np.float32)
    assert session.run(None, {picture.name: x})[0].max() < 0.5  # no class is certain
