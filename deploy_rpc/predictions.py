"""Classes of pictures from a library on a board, as a report."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy_rpc.built_library import BuiltLibrary
from deploy_rpc.cycles import CycleReport
from deploy_rpc.session import LoadedModule
from model.predictions import Prediction, Run, accuracy, agreement, predict


def classify(
    module: LoadedModule,
    library: BuiltLibrary,
    image: Path,
    names: Sequence[str] | None,
    truth: dict[str, int],
    reference: Run | None,
) -> Prediction:
    """Runs the picture `image` through `module`; `truth` is by file name."""
    return predict(
        module.run,
        image,
        library.preprocessing,
        library.input_shape[2:],
        names=names,
        true_class=truth.get(image.name),
        reference=reference,
    )


def summarise(
    library: BuiltLibrary,
    board: str,
    predictions: list[Prediction],
    samples: list[float] | None,
    cycles: CycleReport | None = None,
) -> dict[str, Any]:
    """What `--json` writes; `samples` are milliseconds, where times were asked for.

    `cycles` are the modelled ones of one inference, on a board that has them.
    """
    return {
        "module": str(library.path),
        "model": library.model,
        "target": library.target,
        "board": board,
        "accuracy": accuracy(predictions),
        "agreement": agreement(predictions),
        "latency": _latency(samples, library.threads),
        "modelled": {"kind": "modelled", "threads": 1, **asdict(cycles)} if cycles else None,
        "predictions": [asdict(prediction) for prediction in predictions],
    }


def _latency(samples: list[float] | None, threads: int) -> dict[str, Any] | None:
    if not samples:
        return None
    return {
        "kind": "measured",
        "unit": "ms",
        "threads": threads,
        "median": statistics.median(samples),
        "samples": samples,
    }
