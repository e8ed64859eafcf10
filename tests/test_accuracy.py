"""Number formats side by side: the digits model answers the same, and errors grow with rounding."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench.offered_dtypes
import bench.suite_runs
from bench.accuracy import measure_accuracy
from bench.accuracy_subjects import Subject, subjects
from bench.accuracy_table import (
    accuracy_tables,
    calibrated_on,
    dtypes_of,
    layer_lines,
    where_run,
    whole_rows,
)
from bench.report_page.accuracy import accuracy_blocks
from bench.reports import read_report
from bench.run import main
from compile.network import Network
from compile.targets import parse_target, with_dtype
from compile.verify import TOLERANCES
from deploy_rpc.board_spec import parse_board
from tests.report_rows import a_report, accuracy_rows
from tests.small_networks import small_maps, small_network


def test_the_digits_in_float16(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 test_digits has them all; here it would take as long again."""
    monkeypatch.setattr(bench.offered_dtypes, "DTYPES", ("float16",))
    monkeypatch.setattr(bench.suite_runs, "SHORT_PICTURES", 5)
    path = tmp_path / "accuracy.json"
    main(["accuracy", "--target", "neoverse-n1", "--quick", "--json", str(path)])
    report = read_report(str(path))
    (whole,) = whole_rows(report.rows)
    assert (whole["dtype"], whole["data"], whole["converted"]) == ("float16", "digits", True)
    assert whole["agree"] == whole["pictures"] == 5
    assert 1e-4 < whole["largest_error"] < TOLERANCES["float16"]
    assert not any("intervals" in warning for warning in report.context["warnings"])
    lines = layer_lines(report.rows)
    assert [layer for (_, layer), _ in lines][0::17] == ["stem", "classifier"]
    assert all(1e-5 < errors["float16"] < TOLERANCES["float16"] for _, errors in lines)
    assert report.context["not_measured"]["pictures"] == "not named: --weights FILE --data DIR"
    assert "without pictures" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


class SmallSubject(Subject):
    """Of a few layers, over the pictures of the digits."""

    def network(self) -> Network:
        return small_network()

    def layers(self) -> Network:
        return small_maps()


def test_int8_is_calibrated_on_pictures_and_its_layers_compared_with_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers are outputs of the network, each converted from int8."""
    monkeypatch.setattr("compile.quantise.inputs.ENOUGH_PICTURES", 8)
    monkeypatch.setattr("compile.quantise.inputs.ENOUGH_PIXELS", 0)
    (digits,), _ = subjects(None, None, count=3)
    assert digits.to_calibrate.name == "train"
    small = SmallSubject(
        "small", digits.loaded, digits.pictures, digits.to_calibrate, small_network().reference
    )
    targets = {"int8": with_dtype(parse_target("host"), "int8")}
    board = parse_board("local")
    rows = list(measure_accuracy(small, targets, board, "fused", tmp_path / "a.json", "none"))
    (whole,) = whole_rows(rows)
    assert (whole["dtype"], whole["converted"], whole["pictures"]) == ("int8", False, 3)
    assert whole["calibrated_on"] == "8 of 1438 pictures of train"
    assert calibrated_on(rows) == [
        "small: int8 calibrated on 8 of 1438 pictures of train, without labels"
    ]
    assert 1e-3 < whole["largest_error"] < 0.1
    errors = {layer: of_layer["int8"] for (_, layer), of_layer in layer_lines(rows)}
    assert list(errors) == ["stride2", "stride4"]
    assert all(1e-3 < error < 0.1 for error in errors.values())


def test_weights_without_pictures_are_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "net.pth"
    weights.touch()
    words = ["--target", "host", "--json", str(tmp_path / "a.json"), "--weights", str(weights)]
    with pytest.raises(SystemExit) as exit_:
        main(["accuracy", *words])
    assert exit_.value.code == 2
    assert "--weights and --data go together" in capsys.readouterr().err


def test_the_tables_have_a_line_a_format_and_a_line_a_layer() -> None:
    whole, layers = accuracy_tables(accuracy_rows()).renderables
    assert (whole.row_count, layers.row_count) == (2, 2)
    assert dtypes_of(accuracy_rows()) == ["float32", "float16"]
    assert where_run(accuracy_rows()[-1]) == "emulated:neoverse-n1, by conversion"


def test_the_page_has_a_chart_of_the_formats_and_one_of_the_layers_of_each() -> None:
    report = a_report(*accuracy_rows())
    (block,) = accuracy_blocks(report, report.rows)
    assert [len(chart.bars) for chart in block.figures] == [2, 2, 2]
    assert block.figures[0].bars[1].value.endswith("(358 of 359)")
