"""Classes of pictures from a library on a board, and how they compare with what they should be."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy_rpc.built_library import BuiltLibrary
from deploy_rpc.cycles import CycleReport
from deploy_rpc.session import LoadedModule
from model.preprocess import load_image

KEPT = 5  # best classes of each picture that are shown and reported, and that top-5 counts


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture, best first. `reference_class` is PyTorch's, where asked for."""

    image: str
    classes: list[int]
    names: list[str]
    probabilities: list[float]
    true_class: int | None = None
    reference_class: int | None = None
    reference_error: float | None = None


def classify(
    module: LoadedModule,
    library: BuiltLibrary,
    image: Path,
    names: Sequence[str] | None,
    truth: dict[str, int],
    reference: Callable[[np.ndarray], np.ndarray] | None,
) -> Prediction:
    """Runs the picture `image` through `module`; `truth` is by file name."""
    x = load_image(image, library.preprocessing, library.input_shape[2:])
    logits = module.run(x)[0]
    best = np.argsort(-logits, kind="stable")[:KEPT]
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    expected = reference(x)[0] if reference else None
    return Prediction(
        image=str(image),
        classes=[int(index) for index in best],
        names=[names[index] if names else f"class {index}" for index in best],
        probabilities=[float(probabilities[index]) for index in best],
        true_class=truth.get(image.name),
        reference_class=None if expected is None else int(expected.argmax()),
        reference_error=None if expected is None else float(np.abs(expected - logits).max()),
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
        "accuracy": _accuracy([p for p in predictions if p.true_class is not None]),
        "agreement": _agreement([p for p in predictions if p.reference_class is not None]),
        "latency": _latency(samples, library.threads),
        "modelled": {"kind": "modelled", "threads": 1, **asdict(cycles)} if cycles else None,
        "predictions": [asdict(prediction) for prediction in predictions],
    }


def _accuracy(judged: list[Prediction]) -> dict[str, Any] | None:
    if not judged:
        return None
    return {
        "pictures": len(judged),
        "top1": sum(p.classes[0] == p.true_class for p in judged) / len(judged),
        f"top{KEPT}": sum(p.true_class in p.classes[:KEPT] for p in judged) / len(judged),
    }


def _agreement(compared: list[Prediction]) -> dict[str, Any] | None:
    if not compared:
        return None
    return {
        "pictures": len(compared),
        "agree": sum(p.classes[0] == p.reference_class for p in compared),
        "max_abs_error": max(p.reference_error for p in compared),
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
