"""The network a command line names: an ONNX file, a checkpoint, or a model of random weights."""

from __future__ import annotations

import argparse

from compile.frontend.onnx_import import import_onnx
from compile.frontend.torch_import import import_torch
from compile.network import Network
from model.checkpoints import load_checkpoint
from model.variants import Convention
from model.zoo import DEFAULT_MODEL, create_model, default_input_size


def import_network(options: argparse.Namespace) -> Network:
    """Imports what `options` of build.py name."""
    if options.onnx:
        return import_onnx(
            options.onnx,
            input_size=options.input_size,
            preprocessing=options.preprocessing or "imagenet",
        )
    if options.weights:
        return _import_checkpoint(options)
    return random_network(
        options.model or DEFAULT_MODEL,
        input_size=options.input_size,
        convention=options.convention or "paper",
        preprocessing=options.preprocessing or "imagenet",
    )


def random_network(
    name: str,
    *,
    input_size: tuple[int, int] | None = None,
    convention: Convention = "paper",
    preprocessing: str = "imagenet",
) -> Network:
    """The model `name` with weights drawn from seed 0, for an input of (H, W), as published."""
    size = input_size or default_input_size(name)
    return import_torch(
        create_model(name, input_size=size, convention=convention),
        name=name,
        input_shape=(1, 3, *size),
        preprocessing=preprocessing,
        provenance={"weights": "random, seed 0", "convention": convention},
    )


def _import_checkpoint(options: argparse.Namespace) -> Network:
    loaded = load_checkpoint(
        options.weights,
        expected=options.model,
        convention=options.convention,
        input_size=options.input_size,
    )
    return import_torch(
        loaded.module,
        name=loaded.name,
        input_shape=(1, 3, *loaded.input_size),
        preprocessing=options.preprocessing or loaded.preprocessing,
        provenance={
            "weights": options.weights.name,
            "sha256": loaded.sha256,
            "convention": loaded.convention,
        },
    )
