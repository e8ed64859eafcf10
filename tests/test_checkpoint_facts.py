"""What a checkpoint says of itself counts, and nonsense in it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model.checkpoint_facts import CheckpointFacts, CheckpointFactsError, facts_of
from model.checkpoints import load_checkpoint
from model.recognised import class_count
from model.zoo import build_module

NAME = "shufflenet-0.25x-g3"
FACTS = CheckpointFacts((48, 64), "bgr255", "official", "no")


def test_facts_survive_as_text() -> None:
    metadata = FACTS.as_metadata()
    assert metadata["input_size"] == "48x64"
    assert facts_of(metadata, Path("net")) == FACTS
    assert CheckpointFacts().as_metadata() == {}


@pytest.mark.parametrize("metadata", [None, "text", {}, {"format": "pt"}])
def test_a_file_that_says_nothing_has_no_facts(metadata: object) -> None:
    assert facts_of(metadata, Path("net")) == CheckpointFacts()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_network_is_loaded_as_its_file_says(suffix: str, tmp_path: Path) -> None:
    tensors = build_module(NAME, classes=7).state_dict()
    path = tmp_path / f"net.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": tensors, "metadata": FACTS.as_metadata()}, path)
    else:
        save_file(tensors, path, FACTS.as_metadata())
    loaded = load_checkpoint(path)
    assert (loaded.name, loaded.classes, loaded.input_size) == (NAME, 7, (48, 64))
    assert (loaded.convention, loaded.preprocessing) == ("official", "bgr255")
    assert not loaded.module.config.shuffle
    asked = load_checkpoint(path, convention="paper", input_size=(32, 32))
    assert (asked.convention, asked.input_size) == ("paper", (32, 32))


@pytest.mark.parametrize("name", [NAME, "mobilenet-0.25", "alexnet"])
def test_the_classes_are_those_of_the_classifier(name: str) -> None:
    with torch.device("meta"):
        assert class_count(build_module(name, classes=5).state_dict()) == 5


def test_a_mobilenet_of_few_classes_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(build_module("mobilenet-0.25", classes=5).state_dict(), path)
    loaded = load_checkpoint(path)
    assert (loaded.name, loaded.classes) == ("mobilenet-0.25", 5)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("input_size", "0", "expected N or HxW"),
        ("input_size", ["32"], "expected N or HxW"),
        ("preprocessing", "caffe", "expected one of bgr255, imagenet"),
        ("convention", 3, "expected one of paper, official"),
        ("shuffle", "maybe", "expected one of yes, no"),
    ],
)
def test_nonsense_is_refused(key: str, value: object, expected: str) -> None:
    with pytest.raises(CheckpointFactsError, match=f"net: its {key}.*{expected}"):
        facts_of({key: value}, Path("net"))
