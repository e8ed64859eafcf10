"""Classes of pictures from anything that gives logits, and how they compare with a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.preprocess import Preprocessing, load_image

KEPT = 5  # best classes of each picture that are shown and reported, and that top-5 counts

Run = Callable[[np.ndarray], np.ndarray]
"""float32 (1, 3, H, W) to logits (1, classes)."""


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture, best first.

    `reference_class` is PyTorch's, where asked for, `same_best` whether its five best are the same
    in the same order, `reference_range` its largest logit less its smallest.
    """

    image: str
    classes: list[int]
    names: list[str]
    probabilities: list[float]
    true_class: int | None = None
    reference_class: int | None = None
    reference_error: float | None = None
    reference_range: float | None = None
    same_best: bool | None = None


def predict(
    run: Run,
    image: Path,
    preprocessing: Preprocessing,
    size: tuple[int, int],
    *,
    names: Sequence[str] | None = None,
    true_class: int | None = None,
    reference: Run | None = None,
) -> Prediction:
    """What `run` makes of the picture `image`, scaled to `size` (H, W)."""
    x = load_image(image, preprocessing, size)
    logits = run(x)[0]
    best = _best(logits)
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    expected = reference(x)[0] if reference else None
    compared = {} if expected is None else _compared(logits, expected)
    return Prediction(
        image=str(image),
        classes=best,
        names=[names[index] if names else f"class {index}" for index in best],
        probabilities=[float(probabilities[index]) for index in best],
        true_class=true_class,
        **compared,
    )


def accuracy(predictions: Sequence[Prediction]) -> dict[str, Any] | None:
    """Top-1 and top-5 over the pictures whose class is known; None where there are none."""
    judged = [p for p in predictions if p.true_class is not None]
    if not judged:
        return None
    return {
        "pictures": len(judged),
        "top1": sum(p.classes[0] == p.true_class for p in judged) / len(judged),
        f"top{KEPT}": sum(p.true_class in p.classes for p in judged) / len(judged),
    }


def agreement(predictions: Sequence[Prediction]) -> dict[str, Any] | None:
    """Over the pictures that a reference saw, too; None where there are none."""
    compared = [p for p in predictions if p.reference_class is not None]
    if not compared:
        return None
    return {
        "pictures": len(compared),
        "agree": sum(p.classes[0] == p.reference_class for p in compared),
        f"same_top{KEPT}": sum(p.same_best for p in compared),
        "max_abs_error": max(p.reference_error for p in compared),
        "max_relative_error": max(p.reference_error / p.reference_range for p in compared),
    }


def disagreements(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Those whose best class is not the reference's."""
    return [p for p in predictions if p.reference_class not in (None, p.classes[0])]


def _best(logits: np.ndarray) -> list[int]:
    return [int(index) for index in np.argsort(-logits, kind="stable")[:KEPT]]


def _compared(logits: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    return {
        "reference_class": int(expected.argmax()),
        "reference_error": float(np.abs(expected - logits).max()),
        "reference_range": float(np.ptp(expected)) or 1.0,
        "same_best": _best(logits) == _best(expected),
    }
