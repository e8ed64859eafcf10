"""Files that are no ONNX model, or none of one picture, end in an error that says so, and soon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from compile.frontend.onnx_file import OnnxError, load_onnx, opset_of, picture_input
from compile.frontend.onnx_import import import_onnx
from tests.malformed_files import MALFORMED_ONNX, malformed_onnx, sound
from tests.onnx_dialects import Dialect, write_dialect


@pytest.mark.parametrize("name", MALFORMED_ONNX)
def test_a_malformed_file_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    path, message = malformed_onnx(name, tmp_path)
    with pytest.raises(OnnxError, match=message):
        import_onnx(path, input_size=None, preprocessing="imagenet")


@pytest.mark.parametrize(("count", "through"), [(1, ""), (2, ", through"), (9, r", .*, \.\.\.")])
def test_a_cycle_is_told_by_its_first_nodes(count: int, through: str, tmp_path: Path) -> None:
    model = sound()
    model.graph.node[0].input[0] = f"y{count - 1}" if count > 1 else "y"
    for number in range(1, count):
        given = f"y{number - 1}" if number > 1 else "y"
        model.graph.node.append(helper.make_node("Relu", [given], [f"y{number}"]))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(OnnxError, match=rf"\) needs its own result{through}.*; export it again"):
        load_onnx(tmp_path / "net.onnx")


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(sound(), path, save_as_external_data=True, location="net.data", size_threshold=0)
    weights = load_onnx(path).model.graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(weights), np.ones((2, 3, 3, 3)))


def test_old_opsets_are_lifted(tmp_path: Path) -> None:
    old = write_dialect(Dialect(opset=6, pool="not counted"), tmp_path)
    assert opset_of(load_onnx(old).model) == 9
    assert opset_of(load_onnx(write_dialect(Dialect(opset=7), tmp_path)).model) == 7


def test_channels_last_are_told_by_their_number() -> None:
    model = sound()
    assert not picture_input(model, None).channels_last
    shape = model.graph.input[0].type.tensor_type.shape
    for dim, extent in zip(shape.dim, (1, 9, 8, 3), strict=True):
        dim.dim_value = extent
    picture = picture_input(model, None)
    assert picture.channels_last
    assert picture.nchw_shape == (1, 3, 9, 8)


def test_several_pictures_at_a_time_are_refused() -> None:
    model = sound()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    with pytest.raises(OnnxError, match=r"'x' fixes a batch of 4; export .* dynamic_shapes or"):
        picture_input(model, None)


def test_what_was_open_is_said(tmp_path: Path) -> None:
    fixed, opened = (load_onnx(write_dialect(Dialect(dynamic=d), tmp_path)) for d in (False, True))
    assert picture_input(fixed.model, None).notes == ()
    assert picture_input(opened.model, (32, 48)).notes == (
        "the batch of the input 'x' is open in the file: fixed to 1",
        "the size of the input 'x' is open in the file: fixed to 32x48",
    )


def test_dynamic_channels_are_not_fixed_by_the_size() -> None:
    model = sound()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "c"
    with pytest.raises(OnnxError, match="channels in the export"):
        picture_input(model, (8, 8))
