"""Checkpoints are recognised, loaded strictly, and refused with a reason; none runs code."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model.checkpoint_file import CheckpointError
from model.checkpoints import load_checkpoint
from model.preprocess import PREPROCESSINGS, load_image
from model.shufflenet import ChannelShuffle
from model.zoo import MODEL_NAMES, build_module, create_model
from tests.library_keys import (
    Tensors,
    pytorchcv_shufflenet,
    timm_mobilenet,
    torchvision_shufflenet_v2,
)


def saved(content: object, folder: Path) -> Path:
    path = folder / "checkpoint.pth"
    torch.save(content, path)
    return path


@pytest.fixture
def weights() -> Tensors:
    return create_model("shufflenet-0.25x-g3", convention="official").state_dict()


@pytest.mark.parametrize("name", [name for name in MODEL_NAMES if name != "alexnet"])
def test_every_network_is_recognised_by_its_tensors(name: str, tmp_path: Path) -> None:
    path = saved(create_model(name, seed=3).state_dict(), tmp_path)
    loaded = load_checkpoint(path)
    assert loaded.name == name
    x = torch.ones(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.module(x), create_model(name, seed=3)(x))


def test_all_forms_of_a_state_dict_load(weights: Tensors, tmp_path: Path) -> None:
    prefixed = {f"module.{key}": value for key, value in weights.items()}
    bare = {key: value for key, value in weights.items() if "num_batches" not in key}
    lightning = {f"model._orig_mod.{key}": value for key, value in weights.items()}
    forms = (
        weights,
        bare,
        {"state_dict": weights},  # the official code's and timm's
        {"state_dict": prefixed, "epoch": 3},
        {"model": weights, "optimizer": {"state": {}}, "epoch": 3},  # torchvision's
        {"state_dict": lightning},
    )
    for content in forms:
        loaded = load_checkpoint(saved(content, tmp_path))
        assert (loaded.name, loaded.convention) == ("shufflenet-0.25x-g3", "official")
        assert not loaded.module.training
        assert torch.equal(loaded.module.classifier[0].weight, weights["classifier.0.weight"])


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.bin"])
def test_safetensors_load_whatever_they_are_called(
    name: str, weights: Tensors, tmp_path: Path
) -> None:
    save_file(weights, tmp_path / name)
    loaded = load_checkpoint(tmp_path / name)
    assert (loaded.name, loaded.convention) == ("shufflenet-0.25x-g3", "official")
    assert torch.equal(loaded.module.classifier[0].weight, weights["classifier.0.weight"])


@pytest.mark.parametrize("groups", [3, 8])
@pytest.mark.parametrize("scale", ["0.5", "1.0", "1.5", "2.0"])
def test_all_eight_official_variants_are_recognised(
    scale: str, groups: int, tmp_path: Path
) -> None:
    name = f"shufflenet-{scale}x-g{groups}"
    prefixed = {
        f"module.{key}": value
        for key, value in build_module(name, convention="official").state_dict().items()
    }
    loaded = load_checkpoint(saved({"state_dict": prefixed}, tmp_path))
    assert (loaded.name, loaded.convention, loaded.classes) == (name, "official", 1000)
    assert loaded.preprocessing == "bgr255"


def test_a_classifier_bias_tells_the_papers_convention(tmp_path: Path) -> None:
    path = saved(create_model("shufflenet-0.25x-g3").state_dict(), tmp_path)
    assert load_checkpoint(path).convention == "paper"


@pytest.mark.parametrize("kept", ["paper", "official"])
@pytest.mark.parametrize("asked", ["paper", "official"])
def test_the_convention_can_be_overridden_and_the_bias_stays(
    kept: str, asked: str, tmp_path: Path
) -> None:
    content = create_model("shufflenet-0.25x-g3", convention=kept).state_dict()
    loaded = load_checkpoint(saved(content, tmp_path), convention=asked)
    assert loaded.convention == asked
    assert loaded.module.config.convention == asked
    assert loaded.module.state_dict().keys() == content.keys()


def test_a_comparator_is_never_taken_for_an_official_shufflenet(tmp_path: Path) -> None:
    """An official one would be fed BGR pictures from 0 to 255."""
    path = saved(create_model("mobilenet-0.25").state_dict(), tmp_path)
    assert load_checkpoint(path).convention == "paper"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pth: No such file"):
        load_checkpoint(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="Is a directory"):
        load_checkpoint(tmp_path)


def test_another_network_than_expected_is_refused(weights: Tensors, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds shufflenet-0\.25x-g3, expected alexnet"):
        load_checkpoint(saved(weights, tmp_path), expected="alexnet")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(weights: Tensors, tmp_path: Path, share: float) -> None:
    path = saved(weights, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"checkpoint\.pth"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"no checkpoint at all", b"PK\x03\x04" + bytes(99), bytes(64)])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"other\.pth .* no checkpoint of tensors"):
        load_checkpoint(path)


@pytest.mark.filterwarnings("ignore:.*TorchScript archive:UserWarning")
@pytest.mark.parametrize("form", ["module", "scripted"])
def test_a_saved_module_is_refused_without_advice_to_run_it(form: str, tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    path = saved(module, tmp_path)
    if form == "scripted":
        torch.jit.trace(module, torch.zeros(1, 2)).save(path)
    with pytest.raises(CheckpointError, match="was refused: it holds more than tensors") as caught:
        load_checkpoint(path)
    assert "weights_only" not in str(caught.value)


def test_another_architecture_is_told_what_differs(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"2 unexpected \(bias, weight\)") as caught:
        load_checkpoint(saved(dict(sorted(nn.Linear(3, 4).state_dict().items())), tmp_path))
    assert "Known: shufflenet-" in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "library", "nearest", "listed"),
    [
        (
            pytorchcv_shufflenet,
            "pytorchcv",
            "shufflenet-0.25x-g3",
            "features.stage1.unit1.compress_bn1.running_var and 237 more",
        ),
        (
            timm_mobilenet,
            "timm",
            "mobilenet-1.0",
            "blocks.0.0.bn1.running_var and 125 more",
        ),
        (
            torchvision_shufflenet_v2,
            "torchvision's ShuffleNet V2",
            "shufflenet-0.25x-g8",
            "stage2.0.branch1.1.running_var and 272 more",
        ),
    ],
)
def test_a_state_dict_of_another_library_is_told_and_what_to_do(
    tensors: Callable[[], Tensors], library: str, nearest: str, listed: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(saved(tensors(), tmp_path))
    text = str(caught.value)
    assert f"are those of {library}: export that network to ONNX, and build it with --onnx" in text
    assert f"nearest is {nearest}: " in text
    assert listed in text


def test_a_cut_safetensors_file_is_refused(weights: Tensors, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    save_file(weights, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="cut off, or no safetensors file"):
        load_checkpoint(path)


def test_an_archive_that_unpacks_to_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 24))
    with pytest.raises(CheckpointError, match="would unpack to 16,777,216"):
        load_checkpoint(path)


def test_a_tensor_of_another_shape_is_named(weights: Tensors, tmp_path: Path) -> None:
    weights["first_conv.0.weight"] = torch.zeros(12, 3, 5, 5)
    with pytest.raises(CheckpointError, match=r"conv\.0\.weight \(12, 3, 5, 5\) instead of"):
        load_checkpoint(saved(weights, tmp_path))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(
    weights: Tensors, tmp_path: Path, bad: float
) -> None:
    weights["first_conv.0.weight"][0, 0, 0, 0] = bad
    with pytest.raises(CheckpointError, match=r"first_conv\.0\.weight"):
        load_checkpoint(saved(weights, tmp_path))


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {}}, {"a": 1}, {1: torch.ones(1)}])
def test_what_holds_no_tensors_by_name_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected"):
        load_checkpoint(saved(content, tmp_path))


@pytest.mark.parametrize(
    "odd",
    [
        torch.eye(3).to_sparse(),
        torch.zeros(3, dtype=torch.complex64),
        torch.zeros(3, device="meta"),
    ],
    ids=["sparse", "complex", "meta"],
)
def test_tensors_of_another_kind_are_refused(odd: torch.Tensor, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected a dense tensor"):
        load_checkpoint(saved({"classifier.0.bias": odd}, tmp_path))


class Malicious:
    """Unpickling this would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path = saved({"state_dict": Malicious(tmp_path / "was-run")}, tmp_path)
    with pytest.raises(CheckpointError, match=r"was refused: .* nothing in it was run"):
        load_checkpoint(path)
    assert not (tmp_path / "was-run").exists()


@pytest.fixture(scope="module")
def labelled(test_data: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The 200 pictures, blue first, from 0 to 255, and their classes."""
    with (test_data / "imagenet_sample/labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    folder, bgr = test_data / "imagenet_sample/images", PREPROCESSINGS["bgr255"]
    pictures = [load_image(folder / row["file"], bgr, (224, 224)) for row in rows]
    return torch.from_numpy(np.concatenate(pictures)), torch.tensor([int(r["label"]) for r in rows])


def accuracies(module: nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Shares of pictures whose class has the best logit, and is among the best five."""
    with torch.inference_mode():
        is_right = module(pictures).topk(5).indices == labels[:, None]
    return [is_right[:, :best].any(1).double().mean().item() for best in (1, 5)]


def test_the_official_checkpoint_is_as_right_as_it_should_be(
    checkpoint: Path, labelled: tuple[torch.Tensor, torch.Tensor]
) -> None:
    loaded = load_checkpoint(checkpoint)
    assert (loaded.name, loaded.convention) == ("shufflenet-0.5x-g3", "official")
    assert accuracies(loaded.module, *labelled) == pytest.approx([0.68, 0.89])


def test_the_other_shuffle_direction_is_never_right(
    checkpoint: Path, labelled: tuple[torch.Tensor, torch.Tensor]
) -> None:
    module = load_checkpoint(checkpoint).module
    for layer in module.modules():
        if isinstance(layer, ChannelShuffle):
            layer.convention = "paper"
    pictures, labels = labelled
    assert accuracies(module, pictures[::4], labels[::4])[0] == 0


def test_rgb_instead_of_bgr_is_right_on_two_in_five(
    checkpoint: Path, labelled: tuple[torch.Tensor, torch.Tensor]
) -> None:
    pictures, labels = labelled
    module = load_checkpoint(checkpoint).module
    assert accuracies(module, pictures.flip(1), labels)[0] == pytest.approx(0.4, abs=0.02)
