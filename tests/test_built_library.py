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

LIBRARY = b"a build"


def report() -> dict[str, Any]:
    """The parts of a build report that are read, and one that is not."""
    return {
        "library_sha256": hashlib.sha256(LIBRARY).hexdigest(),
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


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "net.so"
    path.write_bytes(LIBRARY)
    return path


def _changed(place: str, value: object) -> str:
    """The report with another value at `place`, as `model.outputs.0.field`."""
    content = report()
    *way, last = (int(word) if word.isdecimal() else word for word in place.split("."))
    holder: Any = content
    for word in way:
        holder = holder[word]
    holder[last] = value
    return json.dumps(content)


def test_a_report_beside_the_library_says_how_to_feed_it(tmp_path: Path) -> None:
    library = tmp_path / "net.arm_cpu.so"  # of two suffixes the last is the report's
    library.write_bytes(LIBRARY)
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


def test_a_library_of_several_outputs_has_no_classes(library: Path) -> None:
    content = report()
    content["model"]["outputs"] = [
        {"name": "stride4", "shape": [1, 12, 56, 80], "stride": 4, "field": "stride4"},
        {"name": "stride8", "shape": [1, 120, 28, 40], "stride": 8, "field": "stride8"},
    ]
    library.with_suffix(".json").write_text(json.dumps(content))
    built = read_built_library(library)
    assert built.output_shapes == [(1, 12, 56, 80), (1, 120, 28, 40)]
    with pytest.raises(SeveralOutputsError, match=r"2 outputs \(stride4 1x12x56x80, .* header net"):
        _ = built.classes


def test_a_network_without_a_convention_has_none(library: Path) -> None:
    content = report()
    del content["model"]["convention"]
    library.with_suffix(".json").write_text(json.dumps(content))
    assert read_built_library(library).convention is None


@pytest.mark.parametrize("channels", [1, 4])
def test_a_library_of_other_inputs_than_pictures_is_refused(channels: int, library: Path) -> None:
    changed = _changed("model.input_shape", [1, channels, 224, 224])
    library.with_suffix(".json").write_text(changed)
    with pytest.raises(
        ReportError, match=rf"of 3 channels, .*net\.so takes {channels}; its header"
    ):
        read_built_library(library)


def test_a_missing_report_says_where_it_should_be(library: Path) -> None:
    with pytest.raises(ReportError, match=r"no build report .*net\.json; .* keep the two together"):
        read_built_library(library)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"7"], ids=repr
)
def test_a_file_that_is_no_report_is_refused(content: bytes, library: Path) -> None:
    library.with_suffix(".json").write_bytes(content)
    with pytest.raises(ReportError, match=r"net\.json is no build report of this version"):
        read_built_library(library)


def test_a_folder_in_the_reports_place_is_refused(library: Path) -> None:
    library.with_suffix(".json").mkdir()
    with pytest.raises(ReportError, match="IsADirectoryError"):
        read_built_library(library)


@pytest.mark.parametrize("part", ["model", "target", "threads"])
def test_a_report_without_one_of_its_parts_names_it(part: str, library: Path) -> None:
    content = report()
    del content[part]
    library.with_suffix(".json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match=f"KeyError: '{part}'"):
        read_built_library(library)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("model.input_shape", [1, 3, 224], "input_shape has 3 dimensions"),
        ("model.input_shape", [1, 3, "wide", 224], "'wide'"),
        ("model.input_shape", [1, 3, 1 << 20, 1 << 20], "at most 268,435,456 values"),
        ("model.input_shape", None, "TypeError"),
        ("model.outputs", 1000, "TypeError"),
        ("model.outputs", [], "no outputs"),
        ("model.outputs.0.shape", [], r"expected a list of extents, got \[\]"),
        ("model.outputs.0.name", 7, "expected the name of an output, got 7"),
        ("model.preprocessing", "rgb", "KeyError: 'rgb'"),
        ("model.preprocessing", None, "KeyError: None"),
        ("model.convention", "ours", "convention 'ours'"),
        ("threads", float("inf"), "at least 1, got inf"),
        ("threads", 0, "at least 1, got 0"),
    ],
)
def test_a_value_that_cannot_be_used_is_shown(
    place: str, value: object, said: str, library: Path
) -> None:
    library.with_suffix(".json").write_text(_changed(place, value))
    with pytest.raises(ReportError, match=said):
        read_built_library(library)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("interface", "net(void); int main"),
        ("interface", 7),
        ("model.outputs.0.field", 'x"); system("id'),
        ("model.outputs.0.field", None),
        ("model.name", 'a\n"""\nimport os'),
        ("model.name", "a */ int main(void) { return 0; } /*"),
        ("model.name", ["a"]),
        ("target.core", "a\u2028b"),
        ("target.triple", "back\\slash"),
    ],
)
def test_no_text_of_a_report_becomes_code_of_a_package(
    place: str, value: object, library: Path
) -> None:
    library.with_suffix(".json").write_text(_changed(place, value))
    with pytest.raises(ReportError, match="ValueError: expected a"):
        read_built_library(library)


def test_a_report_that_is_nested_without_end_is_refused(library: Path) -> None:
    library.with_suffix(".json").write_text("[" * 100_000)
    with pytest.raises(ReportError, match="RecursionError"):
        read_built_library(library)


def test_a_report_of_another_build_is_refused(library: Path) -> None:
    library.with_suffix(".json").write_text(json.dumps(report()))
    assert read_built_library(library).model == "shufflenet-0.5x-g3"
    library.write_bytes(b"another")
    with pytest.raises(ReportError, match=r"is the report of another library than"):
        read_built_library(library)


def test_a_report_that_does_not_say_of_which_library_it_is_is_refused(library: Path) -> None:
    content = report()
    del content["library_sha256"]
    library.with_suffix(".json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match="KeyError: 'library_sha256'"):
        read_built_library(library)


def test_a_report_without_its_library_says_so(library: Path) -> None:
    library.with_suffix(".json").write_text(json.dumps(report()))
    library.unlink()
    with pytest.raises(ReportError, match=r"no library .*net\.so beside its build report"):
        read_built_library(library)
