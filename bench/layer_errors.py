"""The error of each layer of a network on a board, beside float32, over pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.over_pictures import loaded_on_board
from compile.lower import Lowered
from deploy_rpc.board_spec import BoardSpec
from model.labelled_pictures import LabelledPicture
from model.preprocess import PREPROCESSINGS, load_image


def layer_errors(
    lowered: Lowered,
    references: Callable[[np.ndarray], Sequence[np.ndarray]],
    board: BoardSpec,
    pictures: Sequence[LabelledPicture],
) -> dict[str, list[float]]:
    """Of each output of `lowered` its error over each picture, as `relative_rms` has it, beside
    `references` in float32.
    """
    network = lowered.network
    preprocessing, size = PREPROCESSINGS[network.preprocessing], network.input_shape[2:]
    errors: dict[str, list[float]] = {output.name: [] for output in network.outputs}
    with loaded_on_board(lowered, board) as module:
        for picture in pictures:
            x = load_image(picture.path, preprocessing, size)
            pairs = zip(module.run_all(x), references(x), strict=True)
            for of_layer, (y, expected) in zip(errors.values(), pairs, strict=True):
                of_layer.append(relative_rms(y, expected))
    return errors


def relative_rms(y: np.ndarray, expected: np.ndarray) -> float:
    """The root of the mean squared error, as a share of the standard deviation of `expected`."""
    error = np.asarray(y, np.float64) - expected
    return float(np.sqrt(np.mean(error**2)) / (np.std(expected, dtype=np.float64) or 1.0))
