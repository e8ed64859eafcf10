"""The ablation: equal MACs, the same pictures for all, and rows that follow from the samples."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
import torch

from bench import ablation
from bench.ablation import (
    SeenPictures,
    ablation_table,
    measure_ablation,
    train_once,
)
from bench.ablation_networks import NETWORKS, AblationNetwork
from bench.reports import ReportError
from compile.targets import host_target
from model.partial_results import partial_of
from model.training.data import TrainingData, training_data
from model.workloads import layer_workloads, total_macs
from tests.training_pictures import picture_tree

COMMIT = "0123456789ab"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingData:
    """In place of the digits, a few pictures for one epoch of two updates."""
    data = training_data(picture_tree(tmp_path / "tree"))
    monkeypatch.setattr(ablation, "training_data", lambda _: data)
    monkeypatch.setattr(ablation, "EPOCHS", 1)
    monkeypatch.setattr(ablation, "BATCH_SIZE", 8)
    monkeypatch.setattr(ablation, "NETWORKS", NETWORKS[:2])
    return data


def test_all_networks_have_the_macs_of_mobilenet() -> None:
    macs = {
        network.name: total_macs(layer_workloads(network.build(10), (1, 3, 32, 32)))
        for network in NETWORKS
    }
    assert len(macs) == 10
    for name, count in macs.items():
        assert count == pytest.approx(macs["mobilenet-0.125"], rel=0.025), name


def test_leaving_the_shuffle_out_changes_what_is_computed_and_nothing_else() -> None:
    torch.manual_seed(0)
    shuffling = AblationNetwork(3, shuffle=True).build(10).eval()
    plain = AblationNetwork(3).build(10).eval()
    plain.load_state_dict(shuffling.state_dict())
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert not torch.allclose(shuffling(x), plain(x))


def test_a_training_repeats(tiny: TrainingData) -> None:
    first, again = (train_once(NETWORKS[0], SeenPictures(tiny, 0)) for _ in range(2))
    assert first == again


def test_rows_hold_an_accuracy_a_seed(
    tiny: TrainingData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    rows = list(measure_ablation(host_target(), 2, path, COMMIT))
    assert [row["model"] for row in rows] == ["g1", "g2"]
    for row in rows:
        assert (row["kind"], row["unit"], len(row["samples"])) == ("measured", "% top-1", 2)
        assert row["mean"] == statistics.mean(row["samples"])
        assert row["deviation"] == statistics.stdev(row["samples"])
    assert ablation_table(rows).row_count == 2
    assert "g2, seed 1: " in capsys.readouterr().out
    assert len(json.loads(partial_of(path).read_text())["done"]) == 4, "until the report is there"


@pytest.fixture
def interrupted(tiny: TrainingData, tmp_path: Path) -> Path:
    """The report of a run that ended behind its last network, before the report was there."""
    path = tmp_path / "report.json"
    list(measure_ablation(host_target(), 1, path, COMMIT))
    kept = json.loads(partial_of(path).read_text())
    kept["done"] = {"g1, seed 0": 12.5, "g2, seed 0": 37.5}
    partial_of(path).write_text(json.dumps(kept))
    return path


def test_an_interrupted_run_goes_on(interrupted: Path) -> None:
    rows = list(measure_ablation(host_target(), 1, interrupted, COMMIT))
    assert [row["samples"] for row in rows] == [[12.5], [37.5]]


def test_another_recipe_or_revision_does_not_go_on_where_one_was_interrupted(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReportError, match=r"of another run \(of another revision\): remove it"):
        list(measure_ablation(host_target(), 1, interrupted, "fedcba987654"))
    monkeypatch.setattr(ablation, "EPOCHS", 2)
    with pytest.raises(ReportError, match="of another recipe"):
        list(measure_ablation(host_target(), 1, interrupted, COMMIT))


def test_uncommitted_code_goes_on_nowhere(interrupted: Path) -> None:
    before = partial_of(interrupted).read_bytes()
    rows = list(measure_ablation(host_target(), 1, interrupted, f"{COMMIT}-dirty"))
    assert [row["samples"] for row in rows] != [[12.5], [37.5]]
    assert partial_of(interrupted).read_bytes() == before


@pytest.mark.parametrize("text", ["{", '{"g1, seed 0": 12.5}'])
def test_a_damaged_file_of_an_interrupted_run_is_named(
    text: str, tiny: TrainingData, tmp_path: Path
) -> None:
    (tmp_path / "report.json.partial").write_text(text)
    with pytest.raises(ReportError, match=r"report\.json\.partial is damaged .* remove it"):
        list(measure_ablation(host_target(), 1, tmp_path / "report.json", COMMIT))
