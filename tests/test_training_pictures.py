"""What a run sees depends on seed, epoch and picture, not on who loads it or when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from model.labelled_pictures import LabelledPicture, labelled_pictures
from model.preprocess import PREPROCESSINGS, load_image
from model.training.augment import augmented, random_box
from model.training.pictures import (
    Batches,
    HeldOutPictures,
    TrainingPictures,
    training_loader,
)
from model.training.settings import Settings
from tests.training_pictures import picture_tree

SETTINGS = Settings("shufflenet-0.25x-g1", 2, (32, 32), "", batch_size=4, seed=5)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPicture]:
    folder = picture_tree(tmp_path_factory.mktemp("pictures"))
    return labelled_pictures(folder / "train", 2)


def test_an_epoch_sees_every_picture_once_in_an_order_of_its_own() -> None:
    batches = list(Batches(17, SETTINGS, 0, 8))
    epochs = [[place for batch in batches[i : i + 4] for place in batch] for i in (0, 4)]
    for epoch, places in enumerate(epochs):
        assert {place[0] for place in places} == {epoch}
        assert len({place[1] for place in places}) == 16
    assert [place[1] for place in epochs[0]] != [place[1] for place in epochs[1]]


def test_going_on_in_the_middle_gives_the_batches_that_were_left() -> None:
    assert list(Batches(17, SETTINGS, 0, 8))[3:] == list(Batches(17, SETTINGS, 3, 8))


def test_processes_share_the_batches_of_one() -> None:
    whole = list(Batches(16, SETTINGS, 0, 4))
    shared = replace(SETTINGS, processes=2)
    halves = [list(Batches(16, shared, 0, 4, rank)) for rank in (0, 1)]
    for batch, first, second in zip(whole, *halves, strict=True):
        assert len(first) == len(second) == 2
        assert {*first, *second} == {*batch}


def test_a_picture_of_an_epoch_is_the_same_whenever_it_is_loaded(
    pictures: list[LabelledPicture],
) -> None:
    first, again = (TrainingPictures(pictures, SETTINGS) for _ in range(2))
    x = first[0, 3][0]
    first[1, 3]
    assert torch.equal(first[0, 3][0], x)
    assert torch.equal(again[0, 3][0], x)
    assert not torch.equal(first[1, 3][0], x)
    assert x.shape == (3, 32, 32)


def test_workers_load_what_the_process_itself_loads(pictures: list[LabelledPicture]) -> None:
    batches = Batches(len(pictures), SETTINGS, 0, 2)
    here, there = (
        list(training_loader(pictures, SETTINGS, batches, workers)) for workers in (0, 1)
    )
    for (x, classes), (other, others) in zip(here, there, strict=True):
        assert torch.equal(x, other)
        assert torch.equal(classes, others)


def test_held_out_pictures_are_as_evaluate_sees_them(pictures: list[LabelledPicture]) -> None:
    x, true_class = HeldOutPictures(pictures, SETTINGS)[9]
    expected = load_image(pictures[9].path, PREPROCESSINGS["imagenet"], (32, 32))
    np.testing.assert_array_equal(x.numpy(), expected[0])
    assert true_class == pictures[9].true_class == 1


def test_crops_lie_inside_and_are_as_large_and_wide_as_asked() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        left, top, right, bottom = random_box(50, 40, 0.25, random)
        assert 0 <= left < right <= 50
        assert 0 <= top < bottom <= 40
        area, ratio = (right - left) * (bottom - top), (right - left) / (bottom - top)
        assert 0.25 <= area / 2000 <= 1 + 1e-9
        assert 3 / 4 - 1e-9 <= ratio <= 4 / 3 + 1e-9


def test_a_long_picture_without_such_a_crop_gives_its_centre() -> None:
    left, top, right, bottom = random_box(100, 9, 1.0, np.random.default_rng(0))
    assert (left, top, right, bottom) == (44, 0, 56, 9)


def test_flips_and_colours_can_be_left_out() -> None:
    """Of one colour at the left and another at the right, the whole picture cropped."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = (200, 100, 50)
    image = Image.fromarray(pixels)
    plain = replace(SETTINGS, least_crop=1.0, jitter=0.0, flip=False)
    seeds = range(8)
    for seed in seeds:
        same = augmented(image, plain, np.random.default_rng(seed))
        np.testing.assert_array_equal(same[:, [0, 31]], pixels[:, [0, 31]])
    flipping = replace(plain, flip=True)
    left = [augmented(image, flipping, np.random.default_rng(seed))[0, 0, 0] for seed in seeds]
    assert set(left) == {0, 200}
    jittering = replace(plain, jitter=0.4)
    right = [augmented(image, jittering, np.random.default_rng(seed))[0, 31, 0] for seed in seeds]
    assert len(set(right)) > 4


@pytest.mark.parametrize("name", ["imagenet", "bgr255"])
def test_the_preprocessing_is_the_settings(name: str, pictures: list[LabelledPicture]) -> None:
    """The last picture is a dark one."""
    x, _ = TrainingPictures(pictures, replace(SETTINGS, preprocessing=name))[0, 15]
    assert (x.min() < 0) == (name == "imagenet")
    assert (x.max() > 50) == (name == "bgr255")
