"""The layers of a network in order: batch norms and ReLUs folded where that changes nothing."""

from __future__ import annotations

import operator

import torch
from torch import Tensor, nn

from bench.layer_graph import LayerGraph
from model.shufflenet import ChannelShuffle
from model.zoo import create_model


class Shortcut(nn.Module):
    """A convolution whose result is needed twice, once behind a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers[:2](x)
        return torch.relu(y) + y


def kinds(graph: LayerGraph) -> list[object]:
    _, *nodes, _ = graph
    return [graph.kind(node) for node in nodes]


def test_a_network_has_no_batch_norm_and_no_relu_left() -> None:
    graph = LayerGraph(create_model("shufflenet-0.25x-g3").eval())
    found = set(kinds(graph))
    assert {nn.Conv2d, ChannelShuffle, operator.add, torch.cat} < found
    assert not found & {nn.BatchNorm2d, nn.ReLU, torch.relu}


def test_a_convolution_takes_its_batch_norm() -> None:
    module = Shortcut().eval()
    norm = module.layers[1]
    with torch.no_grad():
        for parameter in (norm.weight, norm.bias, norm.running_mean):
            parameter.uniform_(1, 2)
    weight = module.layers[0].weight.clone()
    graph = LayerGraph(module)
    conv = next(node for node in graph if graph.kind(node) is nn.Conv2d)
    x = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(graph.layer(conv)(x), module.layers(x))
    torch.testing.assert_close(module.layers[0].weight, weight)  # the module is as it was


def test_a_relu_stays_where_others_need_what_it_takes() -> None:
    graph = LayerGraph(Shortcut().eval())
    assert kinds(graph) == [nn.Conv2d, torch.relu, operator.add]
    assert not any(graph.rectified(node) for node in graph)


def test_what_a_relu_follows_is_rectified() -> None:
    graph = LayerGraph(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).eval())
    assert [graph.rectified(node) for node in graph] == [False, True, False, False]
