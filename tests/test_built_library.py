"""A library is used as its build report says, and not at all without one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from deploy_rpc.built_library import BuiltLibrary, ReportError, read_built_library
from model.outputs import Output, SeveralOutputsError
from model.preprocess import PREPROCESSINGS


def report() -> dict[str, Any]:
    """The parts of a build report that are read, and one that is not."""
    return {
        "model": {
            "name": "shufflenet-0.5x-g3",
            "convention": "official",
            "input_shape": [1, 3, 224, 320],
            "outputs": [{"name": "output", "shape": [1, 1000], "stride": None, "field": "output"}],
            "preprocessing": "bgr255",
        },
        "target": {"name": "arm_cpu", "core": "cortex-a72", "triple": "aarch64-linux-gnu"},
        "interface": "net",
        "threads": 4,
        "kernels": [],
    }


def test_a_report_beside_the_library_says_how_to_feed_it(tmp_path: Path) -> None:
    library = tmp_path / "net.arm_cpu.so"  # of two suffixes the last is the report's
    (tmp_path / "net.arm_cpu.json").write_text(json.dumps(report()))
    assert read_built_library(library) == BuiltLibrary(
        path=library,
        model="shufflenet-0.5x-g3",
        convention="official",
        target="arm_cpu",
        core="cortex-a72",
        triple="aarch64-linux-gnu",
        prefix="net",
        threads=4,
        input_shape=(1, 3, 224, 320),
        outputs=(Output("output", (1, 1000)),),
        fields=("output",),
        preprocessing=PREPROCESSINGS["bgr255"],
    )


def test_a_library_of_several_outputs_has_no_classes(tmp_path: Path) -> None:
    content = report()
    content["model"]["outputs"] = [
        {"name": "stride4", "shape": [1, 12, 56, 80], "stride": 4, "field": "stride4"},
        {"name": "stride8", "shape": [1, 120, 28, 40], "stride": 8, "field": "stride8"},
    ]
    (tmp_path / "net.json").write_text(json.dumps(content))
    library = read_built_library(tmp_path / "net.so")
    assert library.output_shapes == [(1, 12, 56, 80), (1, 120, 28, 40)]
    with pytest.raises(SeveralOutputsError, match=r"2 outputs \(stride4 1x12x56x80, .* header net"):
        _ = library.classes


def test_a_network_without_a_convention_has_none(tmp_path: Path) -> None:
    content = report()
    del content["model"]["convention"]
    (tmp_path / "net.json").write_text(json.dumps(content))
    assert read_built_library(tmp_path / "net.so").convention is None


def test_a_missing_report_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no build report .*net\.json; .* keep the two together"):
        read_built_library(tmp_path / "net.so")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"7"], ids=repr
)
def test_a_file_that_is_no_report_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_bytes(content)
    with pytest.raises(ReportError, match=r"net\.json is no build report of this version"):
        read_built_library(tmp_path / "net.so")


def test_a_folder_in_the_reports_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.json").mkdir()
    with pytest.raises(ReportError, match="IsADirectoryError"):
        read_built_library(tmp_path / "net.so")


@pytest.mark.parametrize("part", ["model", "target", "threads"])
def test_a_report_without_one_of_its_parts_names_it(part: str, tmp_path: Path) -> None:
    content = report()
    del content[part]
    (tmp_path / "net.json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match=f"KeyError: '{part}'"):
        read_built_library(tmp_path / "net.so")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("input_shape", [1, 3, 224], "input_shape has 3 dimensions"),
        ("input_shape", [1, 3, "wide", 224], "'wide'"),
        ("input_shape", None, "TypeError"),
        ("outputs", 1000, "TypeError"),
        ("preprocessing", "rgb", "KeyError: 'rgb'"),
        ("preprocessing", None, "KeyError: None"),
    ],
)
def test_a_value_that_cannot_be_used_is_shown(
    key: str, value: object, said: str, tmp_path: Path
) -> None:
    content = report()
    content["model"][key] = value
    (tmp_path / "net.json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match=said):
        read_built_library(tmp_path / "net.so")


def test_a_report_of_another_build_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "net.so"
    library.write_bytes(b"this build")
    for content, fits in ((b"this build", True), (b"another", False)):
        digest = hashlib.sha256(content).hexdigest()
        (tmp_path / "net.json").write_text(json.dumps(report() | {"library_sha256": digest}))
        if fits:
            assert read_built_library(library).model == "shufflenet-0.5x-g3"
        else:
            with pytest.raises(ReportError, match=r"is the report of another library than"):
                read_built_library(library)
