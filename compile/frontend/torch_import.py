"""PyTorch module to canonical Relax, by torch.export."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from tvm.relax.frontend.torch import from_exported_program

from compile.frontend.canonical import canonicalise, named_outputs
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
            program, keep_params_as_input=False, unwrap_unit_return_tuple=True
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
