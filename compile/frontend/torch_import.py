"""PyTorch module to canonical Relax, by torch.export."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from tvm.relax.frontend.torch import from_exported_program

from compile.frontend.canonical import canonicalise, static_shape
from compile.network import Network


def import_torch(
    module: torch.nn.Module,
    *,
    name: str,
    input_shape: tuple[int, int, int, int],
    preprocessing: str,
    provenance: dict[str, Any],
) -> Network:
    """Exports `module` (in eval mode) for one float32 input of `input_shape`, (N, C, H, W)."""

    def reference(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(image)).numpy()

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
        output_shape=static_shape([relax_module["main"].body], "output"),
        preprocessing=preprocessing,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        reference=reference,
        reference_name=f"PyTorch {torch.__version__}",
        provenance=provenance,
    )
