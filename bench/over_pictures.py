"""Our libraries over pictures, on a board: what they answer, beside the network's reference."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from compile.examine import BOARD_TIMEOUT_S
from compile.library import build_library
from compile.link import find_linker
from compile.lower import Lowered
from compile.targets import CompileTarget, host_target
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.session import LoadedModule, open_session
from model.evaluation import Evaluated, evaluate
from model.labelled_pictures import LabelledPicture
from model.predictions import Prediction, Run
from model.preprocess import PREPROCESSINGS


@contextmanager
def loaded_on_board(lowered: Lowered, board: BoardSpec) -> Iterator[LoadedModule]:
    """The library of `lowered` on `board`; on this machine built for it, whatever its target is."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_session(board, timeout_s=BOARD_TIMEOUT_S) as session,
    ):
        path, target = Path(folder) / "network.so", target_on(lowered.target, board)
        build_library(lowered, target, find_linker("auto", target), path)
        shapes = lowered.network.output_shapes
        yield session.load(path, output_shapes=shapes, threads=lowered.threads)


def target_on(target: CompileTarget, board: BoardSpec) -> CompileTarget:
    """What code on `board` is made for; kernels of another core run on this machine, too.

    Where it has no arithmetic of their number format, they convert.
    """
    return host_target() if board.kind == "local" else target


def predictions_of(
    lowered: Lowered,
    board: BoardSpec,
    pictures: Sequence[LabelledPicture],
    reference: Run,
    *,
    what: dict[str, Any] | None = None,
    partial: Path | None = None,
) -> list[Prediction]:
    """What the only output of `lowered` says of each of `pictures`, beside `reference`.

    Results so far are kept in `partial`, where one is named, and count where `what` is the same.
    """
    network = lowered.network
    with loaded_on_board(lowered, board) as module:
        preprocessing, size = PREPROCESSINGS[network.preprocessing], network.input_shape[2:]
        evaluated = Evaluated(module.run, reference, preprocessing, size, what or {})
        report = evaluate(evaluated, pictures, None, partial)
    return [Prediction(**row) for row in report["predictions"]]


def remembered(run: Run) -> Run:
    """`run`, which computes nothing twice: every library sees the same pictures."""

    @functools.cache
    def of_bytes(content: bytes, shape: tuple[int, ...]) -> np.ndarray:
        return run(np.frombuffer(content, np.float32).reshape(shape).copy())

    return lambda x: of_bytes(x.tobytes(), x.shape)
