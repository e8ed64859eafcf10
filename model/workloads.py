"""What each layer of a network costs: MACs, parameters and bytes, read off a run of the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

FLOAT_BYTES = 4


@dataclass(frozen=True)
class LayerWorkload:
    """One layer at one input size. Shapes are (N, C, H, W); MACs count padded taps."""

    name: str
    operator: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    groups: int
    macs: int
    parameters: int
    input_bytes: int
    weight_bytes: int
    output_bytes: int


def layer_workloads(module: nn.Module, input_shape: tuple[int, ...]) -> list[LayerWorkload]:
    """The layers without children, in the order in which an input of `input_shape` runs them."""
    rows: list[LayerWorkload] = []
    modes = {layer: layer.training for layer in module.modules()}
    try:
        with _recording(module, rows), torch.no_grad():
            module.eval()(torch.zeros(input_shape))
    finally:
        for layer, training in modes.items():
            layer.training = training
    return rows


def total_macs(rows: list[LayerWorkload], operator: str | None = None) -> int:
    """MACs of all layers, or of those of one operator (`Conv2d`, `Linear`)."""
    return sum(row.macs for row in rows if operator in (None, row.operator))


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


@contextmanager
def _recording(module: nn.Module, rows: list[LayerWorkload]) -> Iterator[None]:
    handles = []
    for name, layer in module.named_modules():
        if not any(layer.children()):

            def record(
                layer: nn.Module, inputs: tuple[Tensor], output: Tensor, name: str = name
            ) -> None:
                rows.append(_workload(name, layer, inputs[0], output))

            handles.append(layer.register_forward_hook(record))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _workload(name: str, layer: nn.Module, x: Tensor, y: Tensor) -> LayerWorkload:
    parameters = sum(parameter.numel() for parameter in layer.parameters())
    return LayerWorkload(
        name=name,
        operator=type(layer).__name__,
        input_shape=tuple(x.shape),
        output_shape=tuple(y.shape),
        kernel=_pair(getattr(layer, "kernel_size", ())),
        stride=_pair(getattr(layer, "stride", ())),
        groups=getattr(layer, "groups", 1),
        macs=_macs(layer, y),
        parameters=parameters,
        input_bytes=FLOAT_BYTES * x.numel(),
        weight_bytes=FLOAT_BYTES * parameters,
        output_bytes=FLOAT_BYTES * y.numel(),
    )


def _macs(layer: nn.Module, y: Tensor) -> int:
    """Every output value of a convolution or matrix product takes one filter's worth of MACs."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return y.numel() * layer.weight[0].numel()
    return 0


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value, value)
