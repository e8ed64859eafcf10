"""The accuracy of an engine over labelled pictures, one at a time, beside its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from model.console import table_console
from model.labelled_pictures import LabelledPicture
from model.partial_results import partial_results
from model.predictions import KEPT, Prediction, Run, accuracy, agreement, disagreements, predict
from model.preprocess import Preprocessing
from model.progress import with_progress

SHOWN = 10  # pictures on which engine and reference disagree


@dataclass(frozen=True)
class Evaluated:
    """What is run: `run` and its `reference` take float32 (1, 3, H, W), H and W being `size`.

    `what` names it all, engine, files and their digests: a report begins with it, and results of
    an interrupted evaluation are taken up only where it is the same.
    """

    run: Run
    reference: Run | None
    preprocessing: Preprocessing
    size: tuple[int, int]
    what: dict[str, Any]


def evaluate(
    evaluated: Evaluated,
    pictures: Sequence[LabelledPicture],
    names: Sequence[str] | None,
    partial: Path | None,
) -> dict[str, Any]:
    """The report: accuracy, agreement with the reference, and the classes of every picture.

    Results so far are kept in `partial`, where one is named, and go when all are there.
    """
    of = {**evaluated.what, "pictures": len(pictures)}
    with partial_results(partial, of) as results:
        left = [picture for picture in pictures if picture.name not in results.done]
        if results.done:
            print(f"{len(results.done)} pictures were done before, {len(left)} are left")
        for picture in with_progress(left, "pictures", len(left)):
            prediction = predict(
                evaluated.run,
                picture.path,
                evaluated.preprocessing,
                evaluated.size,
                names=names,
                true_class=picture.true_class,
                reference=evaluated.reference,
            )
            results.keep(picture.name, prediction)
        predictions = [results.done[picture.name] for picture in pictures]
    return {
        **of,
        "accuracy": accuracy(predictions),
        "agreement": agreement(predictions),
        "predictions": [asdict(prediction) for prediction in predictions],
    }


def print_evaluation(report: dict[str, Any], names: Sequence[str] | None = None) -> None:
    """The same for a reader, with the first pictures on which reference and engine disagree.

    `names` are those of the classes, where they are known.
    """
    judged, compared = report["accuracy"], report["agreement"]
    print(
        f"{report['engine']}: accuracy on {judged['pictures']} pictures: top-1 "
        f"{judged['top1']:.1%}, top-{KEPT} {judged[f'top{KEPT}']:.1%}"
    )
    if not compared:
        return
    count, reference = compared["pictures"], report["reference"]
    print(
        f"against {reference}: the same class on {compared['agree']} of {count} pictures, the "
        f"same best {KEPT} in the same order on {compared[f'same_top{KEPT}']}; largest logit "
        f"difference {compared['max_abs_error']:.2e}, "
        f"{compared['max_relative_error']:.1e} of their range"
    )
    if compared["not_finite"]:
        print(f"on {compared['not_finite']} of them logits are no finite numbers")
    differing = disagreements([Prediction(**row) for row in report["predictions"]])
    if differing:
        _print_disagreements(differing, reference, names)


def _print_disagreements(
    differing: Sequence[Prediction], reference: str, names: Sequence[str] | None
) -> None:
    def named(index: int) -> str:
        return f"{index} {names[index]}" if names else str(index)

    title = f"first {min(SHOWN, len(differing))} of {len(differing)} disagreements"
    table = Table("picture", title=title, title_justify="left")
    for column in ("true class", reference, "engine", "logit difference"):
        table.add_column(column, justify="right")
    for row in differing[:SHOWN]:
        table.add_row(
            Path(row.image).name,
            named(row.true_class),
            named(row.reference_class),
            f"{named(row.classes[0])} ({row.probabilities[0]:.2f})",
            "not finite" if row.reference_error is None else f"{row.reference_error:.2e}",
        )
    table_console().print(table)
