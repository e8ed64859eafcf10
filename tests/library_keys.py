"""State dicts as other libraries name them, every key and shape; their values are zeros.

Compared once with the libraries' own (2026-11-26): pytorchcv 0.0.74, torchvision 0.29.1, timm
1.0.31.
"""

from __future__ import annotations

import torch

Tensors = dict[str, torch.Tensor]


def pytorchcv_shufflenet() -> Tensors:
    """`shufflenet_g3_wd4`: the shapes of our shufflenet-0.25x-g3."""
    tensors = conv_norm("features.init_block.conv", "features.init_block.bn", 6, 3, 3)
    inputs, groups = 6, 3
    for stage, (outputs, units) in enumerate(((60, 4), (120, 8), (240, 4)), 1):
        for unit in range(1, units + 1):
            name, middle = f"features.stage{stage}.unit{unit}", outputs // 4
            made = outputs - inputs if unit == 1 else outputs
            first = 1 if (stage, unit) == (1, 1) else groups
            tensors |= conv_norm(
                f"{name}.compress_conv1", f"{name}.compress_bn1", middle, inputs // first, 1
            )
            tensors |= conv_norm(f"{name}.dw_conv2", f"{name}.dw_bn2", middle, 1, 3)
            tensors |= conv_norm(
                f"{name}.expand_conv3", f"{name}.expand_bn3", made, middle // groups, 1
            )
            inputs = outputs
    return tensors | linear("output", inputs)


def torchvision_shufflenet_v2() -> Tensors:
    """`shufflenet_v2_x0_5`."""
    tensors = conv_norm("conv1.0", "conv1.1", 24, 3, 3)
    inputs = 24
    for stage, (outputs, units) in enumerate(((48, 4), (96, 8), (192, 4)), 2):
        half = outputs // 2
        for unit in range(units):
            name = f"stage{stage}.{unit}"
            if unit == 0:
                tensors |= conv_norm(f"{name}.branch1.0", f"{name}.branch1.1", inputs, 1, 3)
                tensors |= conv_norm(f"{name}.branch1.2", f"{name}.branch1.3", half, inputs, 1)
            given = inputs if unit == 0 else half
            tensors |= conv_norm(f"{name}.branch2.0", f"{name}.branch2.1", half, given, 1)
            tensors |= conv_norm(f"{name}.branch2.3", f"{name}.branch2.4", half, 1, 3)
            tensors |= conv_norm(f"{name}.branch2.5", f"{name}.branch2.6", half, half, 1)
        inputs = outputs
    return tensors | conv_norm("conv5.0", "conv5.1", 1024, inputs, 1) | linear("fc", 1024)


def timm_mobilenet() -> Tensors:
    """`mobilenetv1_100`: the shapes of our mobilenet-1.0."""
    tensors = conv_norm("conv_stem", "bn1", 32, 3, 3)
    inputs = 32
    for stage, widths in enumerate(((64,), (128,) * 2, (256,) * 2, (512,) * 6, (1024,) * 2)):
        for unit, outputs in enumerate(widths):
            name = f"blocks.{stage}.{unit}"
            tensors |= conv_norm(f"{name}.conv_dw", f"{name}.bn1", inputs, 1, 3)
            tensors |= conv_norm(f"{name}.conv_pw", f"{name}.bn2", outputs, inputs, 1)
            inputs = outputs
    return tensors | linear("classifier", inputs)


def conv_norm(conv: str, norm: str, outputs: int, inputs: int, kernel: int) -> Tensors:
    """A convolution without a bias, (outputs, inputs of a group, kernel, kernel), and its norm."""
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {
        f"{conv}.weight": torch.zeros(outputs, inputs, kernel, kernel),
        **{f"{norm}.{vector}": torch.zeros(outputs) for vector in vectors},
        f"{norm}.num_batches_tracked": torch.tensor(0),
    }


def linear(name: str, inputs: int) -> Tensors:
    """The classifier of 1000 classes."""
    return {f"{name}.weight": torch.zeros(1000, inputs), f"{name}.bias": torch.zeros(1000)}
