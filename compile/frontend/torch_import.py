"""PyTorch module to canonical Relax, by torch.export.

What it exports is translated as it is. TVM would decompose it into core operators first, which
traces the whole network a second time: 2.8 of the 4.2 CPU seconds that importing ShuffleNet took
(EPYC, November 2026). Three operators need a translation of ours for that.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program
from tvm.relax.frontend.torch.base_fx_graph_translator import BaseFXGraphImporter

from compile.frontend.canonical import UnsupportedNetworkError, canonicalise, named_outputs
from compile.network import Network

ONE_OUTPUT = {"output": None}


def import_torch(
    module: torch.nn.Module,
    *,
    name: str,
    input_shape: tuple[int, int, int, int],
    preprocessing: str,
    provenance: dict[str, Any],
    outputs: Mapping[str, int | None] = ONE_OUTPUT,
) -> Network:
    """Exports `module` (in eval mode) for one float32 input of `input_shape`, (N, C, H, W).

    `outputs` are the names of what it returns, and the strides of those that are feature maps.
    """

    def references(image: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            result = module(torch.from_numpy(image))
        return [each.numpy() for each in (result if isinstance(result, tuple) else [result])]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # raised inside torch.export itself
        program = torch.export.export(module, (torch.zeros(input_shape),))
        imported = from_exported_program(
            program,
            unwrap_unit_return_tuple=True,
            custom_convert_map=CONVERSIONS,
            run_ep_decomposition=False,
        )
    relax_module = canonicalise(imported)
    return Network(
        name=name,
        module=relax_module,
        input_shape=input_shape,
        outputs=named_outputs(relax_module, outputs),
        preprocessing=preprocessing,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        references=references,
        reference_name=f"PyTorch {torch.__version__}",
        provenance=provenance,
    )


def _batch_norm(node: fx.Node, importer: BaseFXGraphImporter) -> relax.Var:
    """Of inference; TVM's own reads the undecomposed operator's arguments as another's."""
    x, gamma, beta, mean, variance, training, momentum, epsilon, *_ = importer.retrieve_args(node)
    if training:
        raise UnsupportedNetworkError(f"{node.name}: a batch norm in training; call .eval() first")
    normalised = relax.op.nn.batch_norm(
        x, gamma, beta, mean, variance, axis=1, epsilon=epsilon, momentum=momentum, training=False
    )
    return importer.block_builder.emit(importer.block_builder.emit(normalised)[0])


def _adaptive_pool(node: fx.Node, importer: BaseFXGraphImporter) -> relax.Var:
    """To one pixel a mean over rows and columns, the form that the passes know."""
    x, size = importer.retrieve_args(node)
    if list(size) != [1, 1]:
        return importer.block_builder.emit(relax.op.nn.adaptive_avg_pool2d(x, size))
    return importer.block_builder.emit(relax.op.mean(x, [-1, -2], keepdims=True))


def _linear(node: fx.Node, importer: BaseFXGraphImporter) -> relax.Var:
    """With the axes of the transposition written out, as the passes know it."""
    x, weight, *bias = importer.retrieve_args(node)
    emit = importer.block_builder.emit
    product = emit(relax.op.matmul(x, emit(relax.op.permute_dims(weight, [1, 0])), "float32"))
    return product if bias in ([], [None]) else emit(relax.op.add(bias[0], product))


CONVERSIONS = {
    "batch_norm.default": _batch_norm,
    "adaptive_avg_pool2d.default": _adaptive_pool,
    "linear.default": _linear,
}
