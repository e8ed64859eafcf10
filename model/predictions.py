"""Classes of pictures from anything that gives logits, and how they compare with a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.preprocess import Preprocessing, load_image
from model.strict_json import shown

KEPT = 5  # best classes of each picture that are shown and reported, and that top-5 counts

Run = Callable[[np.ndarray], np.ndarray]
"""float32 (1, 3, H, W) to logits (1, classes)."""


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture, best first; without probabilities, all 0, where a logit is no
    finite number.

    `reference_class` is PyTorch's, where asked for, `same_best` whether its five best are the same
    in the same order, `reference_range` its largest logit less its smallest. There is no
    `reference_error` where a logit of either is not finite.
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
    best, probabilities = _best(logits), _probabilities(logits)
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


def kept_prediction(fields: dict[str, Any]) -> Prediction:
    """The `Prediction` of `fields` that were read from a file.

    Raises `TypeError` for fields that it does not have, `ValueError` for a value that none has.
    """
    made = Prediction(**fields)
    of_reference = made.reference_class, made.reference_error, made.reference_range, made.same_best
    fitting = {
        "image": isinstance(made.image, str),
        "classes": _are(int, made.classes) and made.classes,
        "names": _are(str, made.names) and len(made.names) == len(made.classes),
        "probabilities": _are(float, made.probabilities)
        and len(made.probabilities) == len(made.classes),
        "true_class": made.true_class is None or _are(int, [made.true_class]),
        "reference_class": of_reference == (None,) * 4 or _are(int, [made.reference_class]),
        "reference_error": (made.reference_error is None) == (made.reference_range is None),
        "reference_range": made.reference_range is None
        or (_are(float, of_reference[1:3]) and made.reference_range > 0),
        "same_best": made.same_best is None or isinstance(made.same_best, bool),
    }
    for name, fits in fitting.items():
        if not fits:
            raise ValueError(f"{name} is {shown(getattr(made, name))}")
    return made


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
    """Over the pictures that a reference saw, too; None where there are none.

    Pictures whose logits are `not_finite` are disagreements; errors are those of the others.
    """
    compared = [p for p in predictions if p.reference_class is not None]
    if not compared:
        return None
    finite = [p for p in compared if p.reference_error is not None]
    relative = [p.reference_error / p.reference_range for p in finite]
    return {
        "pictures": len(compared),
        "agree": len(compared) - len(disagreements(compared)),
        f"same_top{KEPT}": sum(p.same_best for p in finite),
        "not_finite": len(compared) - len(finite),
        "max_abs_error": max((p.reference_error for p in finite), default=0.0),
        "max_relative_error": max(relative, default=0.0),
    }


def disagreements(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Those whose best class is not the reference's, or whose logits are not finite."""
    compared = [p for p in predictions if p.reference_class is not None]
    return [p for p in compared if p.reference_error is None or p.classes[0] != p.reference_class]


def _are(kind: type, values: object) -> bool:
    """Whether it is a list of them; a whole number is a float, too, but true is no number."""
    kinds = (int, float) if kind is float else (kind,)
    return isinstance(values, (list, tuple)) and all(type(value) in kinds for value in values)


def _best(logits: np.ndarray) -> list[int]:
    return [int(index) for index in np.argsort(-logits, kind="stable")[:KEPT]]


def _probabilities(logits: np.ndarray) -> np.ndarray:
    if not np.isfinite(logits).all():
        return np.zeros_like(logits)
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def _compared(logits: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    finite = bool(np.isfinite(logits).all() and np.isfinite(expected).all())
    return {
        "reference_class": int(expected.argmax()),
        "reference_error": float(np.abs(expected - logits).max()) if finite else None,
        "reference_range": float(np.ptp(expected)) or 1.0 if finite else None,
        "same_best": _best(logits) == _best(expected),
    }
