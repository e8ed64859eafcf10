"""Which tile of a kernel to try next: a gradient-boosted model, learned from what was tried.

The model learns the cost of a tile, to that of its task's default tile, from the decisions, the
workload, the core and the number of accumulators. What other shapes and cores of the same template
have shown teaches it, too. What was best for other kernels is tried before chance has its turn, the
most similar kernel's first: of the thousands of tiles of a 1x1 convolution few ever win, the same
ones again. Where the space lacks a winner, as its shape does not divide, the tile most like it is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from xgboost import Booster, DMatrix, train

from compile.schedules.templates import Made, Workload
from deploy_rpc.cores import Core

DEFAULT = 1.0  # cost of a default tile
LEAST_LEARNED = 12  # tiles before the model says more than chance
EXPLORED = 0.25  # share of the tiles that are tried whatever the model says
TREES = 80
BOOSTING = {"max_depth": 5, "eta": 0.15, "nthread": 1, "seed": 0}


@dataclass(frozen=True)
class _Space:
    """The features of each of `tiles`, a row each, as the ensemble takes them and in orders of
    magnitude, and where each tile is."""

    tiles: Sequence[Any]
    data: DMatrix
    orders: np.ndarray
    places: dict[Any, int]


class Model:
    """Predicts costs on `core` relative to the default tile, one ensemble for each template."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[str, list[tuple[np.ndarray, float]]] = {}
        self._fitted: dict[str, Booster] = {}
        self._best: dict[tuple[Workload, Core], tuple[float, Made]] = {}
        self._spaces: dict[Workload, _Space] = {}

    def learn(self, made: Made, cost: float, core: Core | None = None) -> None:
        """That `made` costs `cost` times what its default tile does, there or on `core`."""
        core = core or self._core
        row = _features(made.workload, made.tile, core)
        self._known.setdefault(made.template, []).append((row, cost))
        self._fitted.pop(made.template, None)
        kernel = made.workload, core
        if kernel not in self._best or cost < self._best[kernel][0]:
            self._best[kernel] = cost, made

    def predict(
        self, made: Made, space: Sequence[Any], tried: Collection[Any] = ()
    ) -> np.ndarray | None:
        """The cost of `made` with each tile of `space`, infinite with those that were `tried`.

        None where too little is known. What `space` holds has to stay as it is.
        """
        known = self._known.get(made.template, [])
        if len(known) < LEAST_LEARNED or not space:
            return None
        kept = self._space(made, space)
        costs = np.exp(self._booster(made.template).predict(kept.data))
        costs[[kept.places[tile] for tile in tried]] = math.inf
        return costs

    def winners(self, made: Made, space: Sequence[Any]) -> Iterator[Any]:
        """The tiles of `space` most like the best ones of other kernels of the template, each once.

        Of those that a default tile is not the best of; the kernel and core most like `made` on
        this one are first.
        """
        others = [
            (_features(workload, made.tile, core), best.tile)
            for (workload, core), (cost, best) in self._best.items()
            if best.template == made.template
            and cost < DEFAULT
            and (workload, core) != (made.workload, self._core)
        ]
        if not others:
            return
        kernels, won = zip(*others, strict=True)
        here = _orders(_features(made.workload, made.tile, self._core))
        nearest = np.argsort(_distances(_orders(np.stack(kernels)), here), kind="stable")
        orders = self._space(made, space).orders
        given = set()
        for winner in dict.fromkeys(won[index] for index in nearest):
            wanted = _orders(_features(made.workload, winner, self._core))
            tile = space[_distances(orders, wanted).argmin()]
            if tile not in given:
                given.add(tile)
                yield tile

    def _space(self, made: Made, space: Sequence[Any]) -> _Space:
        """Kept, as every tile is looked at anew after every batch."""
        kept = self._spaces.get(made.workload)
        if kept is None or kept.tiles is not space:
            rows = np.stack([_features(made.workload, tile, self._core) for tile in space])
            places = {tile: place for place, tile in enumerate(space)}
            kept = _Space(space, DMatrix(rows), _orders(rows), places)
            self._spaces[made.workload] = kept
        return kept

    def _booster(self, template: str) -> Booster:
        if template not in self._fitted:
            rows, costs = zip(*self._known[template], strict=True)
            data = DMatrix(np.stack(rows), np.log(costs))
            self._fitted[template] = train(BOOSTING, data, TREES)
        return self._fitted[template]


def proposed(
    made: Made,
    space: Sequence[Any],
    tried: Collection[Any],
    model: Model,
    count: int,
    chance: random.Random,
) -> list[Any]:
    """`count` tiles of `space` that were not tried: those the model likes best, and some others.

    The others are like the best ones of other kernels, and by chance where all of these were tried.
    """
    costs = model.predict(made, space, tried)
    if costs is None:
        untried = [tile for tile in space if tile not in tried]
        return chance.sample(untried, min(count, len(untried)))
    order = np.argsort(costs, kind="stable")
    ranked = [space[index] for index in order if costs[index] < math.inf]
    explored = round(EXPLORED * count)
    best, rest = ranked[: count - explored], ranked[count - explored :]
    left = set(rest)
    won = list(islice((tile for tile in model.winners(made, space) if tile in left), explored))
    rest = [tile for tile in rest if tile not in won]
    return best + won + chance.sample(rest, min(explored - len(won), len(rest)))


def _features(workload: Workload, tile: Any, core: Core) -> np.ndarray:  # noqa: ANN401 (any tile)
    decisions = vars(tile)
    sizes = [n for fields in (workload, tile, core) for n in _numbers(vars(fields).values())]
    accumulators = math.prod(_extent(decisions, name) for name in ACCUMULATOR_AXES)
    return np.array([*sizes, accumulators], np.float32)


def _orders(rows: np.ndarray) -> np.ndarray:
    """The orders of magnitude of features, with their signs: bounds of int8 are below zero."""
    return np.sign(rows) * np.log1p(np.abs(rows))


def _distances(orders: np.ndarray, row: np.ndarray) -> np.ndarray:
    """How unlike each of `orders` is to that of `row`, feature by feature."""
    return np.abs(orders - row).sum(axis=1)


ACCUMULATOR_AXES = ("channels", "rows", "vectors", "pixels", "sums")


def _extent(decisions: dict[str, Any], name: str) -> int:
    return int(decisions.get(name, 1))


def _numbers(values: Any) -> list[float]:  # noqa: ANN401 (fields of a dataclass)
    """Numbers and pairs of them, flat; words are left out."""
    flat: list[float] = []
    for value in values:
        if isinstance(value, (tuple, list)):
            flat += _numbers(value)
        elif isinstance(value, (int, float)):
            flat.append(float(value))
    return flat
