"""The network a command line names: an ONNX file, a checkpoint, or a model of random weights."""

from __future__ import annotations

import argparse
from typing import Any

from torch import nn

from compile.frontend.onnx_import import import_onnx
from compile.frontend.torch_import import ONE_OUTPUT, import_torch
from compile.network import Network
from model.checkpoints import load_checkpoint
from model.feature_maps import FeatureMaps
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
        features=options.features,
    )


def random_network(
    name: str,
    *,
    input_size: tuple[int, int] | None = None,
    convention: Convention = "paper",
    preprocessing: str = "imagenet",
    features: bool = False,
) -> Network:
    """The model `name` with weights drawn from seed 0, for an input of (H, W), as published.

    With `features` its feature maps instead of its classes; raises `FeatureMapsError` where it has
    none.
    """
    size = input_size or default_input_size(name)
    return _imported(
        create_model(name, input_size=size, convention=convention),
        name,
        size,
        preprocessing,
        {"weights": "random, seed 0", "convention": convention},
        features,
    )


def _import_checkpoint(options: argparse.Namespace) -> Network:
    loaded = load_checkpoint(
        options.weights,
        expected=options.model,
        convention=options.convention,
        input_size=options.input_size,
    )
    provenance = {
        "weights": options.weights.name,
        "sha256": loaded.sha256,
        "convention": loaded.convention,
    }
    return _imported(
        loaded.module,
        loaded.name,
        loaded.input_size,
        options.preprocessing or loaded.preprocessing,
        provenance,
        options.features,
    )


def _imported(
    module: nn.Module,
    name: str,
    size: tuple[int, int],
    preprocessing: str,
    provenance: dict[str, Any],
    features: bool,
) -> Network:
    """The classifier `module`, or its trunk alone, which is called `NAME-features`."""
    outputs = ONE_OUTPUT
    if features:
        module = FeatureMaps(module).eval()
        name, outputs = f"{name}-features", {f"stride{each}": each for each in module.strides}
    return import_torch(
        module,
        name=name,
        input_shape=(1, 3, *size),
        preprocessing=preprocessing,
        provenance=provenance,
        outputs=outputs,
    )
