"""The layers of a network of ours in the order in which they run, batch norms and ReLUs folded."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.alexnet import CrossChannelNorm
from model.shufflenet import ChannelShuffle

WHOLE = (ChannelShuffle, CrossChannelNorm)  # beside PyTorch's own layers
RECTIFIED = (nn.Conv2d, nn.Linear, operator.add)  # what a ReLU is folded into
FOLDED = {nn.BatchNorm2d: (nn.Conv2d,), nn.ReLU: RECTIFIED, torch.relu: RECTIFIED}


class LayerGraph:
    """What a module in evaluation mode runs. The module itself stays as it is.

    A batch norm becomes part of the convolution before, a ReLU a property of what it follows; one
    whose input others need, too, stays.
    """

    def __init__(self, module: nn.Module) -> None:
        self._graph = _Tracer().trace(module)
        self._layers = dict(module.named_modules())
        self._rectified: set[fx.Node] = set()
        for node in list(self._graph.nodes):
            if (kind := self.kind(node)) in FOLDED:
                self._fold(node, FOLDED[kind])

    def __iter__(self) -> Iterator[fx.Node]:
        """In order; the first is the placeholder of the input, the last the output."""
        return iter(self._graph.nodes)

    def kind(self, node: fx.Node) -> object:
        """The class of its layer, its function, or the name of its method."""
        return type(self.layer(node)) if node.op == "call_module" else node.target

    def layer(self, node: fx.Node) -> nn.Module:
        """The layer that `node` calls, a convolution with the batch norm that follows it."""
        return self._layers[node.target]

    def rectified(self, node: fx.Node) -> bool:
        """Whether a ReLU follows."""
        return node in self._rectified

    def _fold(self, node: fx.Node, into: tuple[object, ...]) -> None:
        before = node.args[0]
        if len(before.users) > 1 or self.rectified(before) or self.kind(before) not in into:
            return
        if self.kind(node) is nn.BatchNorm2d:
            fused = fuse_conv_bn_eval(self.layer(before), self.layer(node))
            self._layers[before.target] = fused
        else:
            self._rectified.add(before)
        node.replace_all_uses_with(before)
        self._graph.erase_node(node)


class _Tracer(fx.Tracer):
    """Sees `WHOLE` whole, and through slices of a Sequential."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, WHOLE) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable, args: tuple, kwargs: dict[str, object]
    ) -> object:
        if isinstance(m, nn.Sequential):
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)
