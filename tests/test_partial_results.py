"""Results survive an interruption, a torn line costs one picture, another evaluation is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.partial_results import (
    PartialResults,
    PartialResultsError,
    evaluation_of,
    partial_results,
)
from model.predictions import Prediction

OF = {"sha256": "abc", "engine": "pytorch", "input_size": (32, 32)}


def prediction(name: str) -> Prediction:
    return Prediction(name, [3, 1], ["c", "a"], [0.75, 0.25], true_class=3)


def interrupted(path: Path, *names: str) -> None:
    """An evaluation that stops behind `names`."""

    def keep_some(results: PartialResults) -> None:
        for name in names:
            results.keep(name, prediction(name))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), partial_results(path, OF) as results:
        keep_some(results)


def test_what_was_kept_is_there_again_and_stays_until_it_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "report.json.partial"
    interrupted(path, "a", "b")
    with partial_results(path, OF) as results:
        assert results.done == {"a": prediction("a"), "b": prediction("b")}
        results.keep("c", prediction("c"))
        assert len(path.read_text().splitlines()) == 4
    with partial_results(path, OF) as results:
        assert results.done.keys() == {"a", "b", "c"}


@pytest.mark.parametrize("cut", [1, 20])
def test_a_torn_line_costs_its_picture(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "partial"
    interrupted(path, "a", "b")
    path.write_bytes(path.read_bytes()[:-cut])
    with partial_results(path, OF) as results:
        kept = {"a", "b"} if cut == 1 else {"a"}  # without its newline a line is still whole
        assert results.done.keys() == kept
        assert all(json.loads(line) for line in path.read_text().splitlines())


def test_results_of_another_evaluation_are_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "partial"
    interrupted(path, "a")
    before = path.read_bytes()
    other = {**OF, "sha256": "def"}
    with (
        pytest.raises(PartialResultsError, match=r"another evaluation \(of another sha256\)"),
        partial_results(path, other),
    ):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [("image", 3), ("classes", ["c"]), ("classes", []), ("names", ["c"]),
     ("probabilities", [True, 0]), ("true_class", "cat"),
     ("reference_error", 1e-6), ("same_best", 1), ("more", 1)],
)  # fmt: skip
def test_what_is_no_prediction_is_refused(field: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "partial"
    interrupted(path, "a")
    of, kept = path.read_text().splitlines()
    path.write_text("\n".join([of, json.dumps(json.loads(kept) | {field: value})]))
    with (
        pytest.raises(PartialResultsError, match=r"of another version \(.* is |argument"),
        partial_results(path, OF),
    ):
        pass


def test_endless_nesting_ends_the_results(tmp_path: Path) -> None:
    path = tmp_path / "partial"
    interrupted(path, "a")
    with path.open("a") as file:
        file.write(99999 * "[" + "\n")
    with partial_results(path, OF) as results:
        assert results.done.keys() == {"a"}


def test_without_a_path_nothing_is_kept(tmp_path: Path) -> None:
    with partial_results(None, OF) as results:
        results.keep("a", prediction("a"))
        assert results.done == {"a": prediction("a")}
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(PartialResultsError, match="cannot keep results"),
        partial_results(tmp_path / "none" / "partial", OF),
    ):
        pass


def test_the_evaluation_that_was_interrupted_is_named(tmp_path: Path) -> None:
    interrupted(tmp_path / "results", "a")
    assert evaluation_of(tmp_path / "results") == {**OF, "input_size": [32, 32]}
