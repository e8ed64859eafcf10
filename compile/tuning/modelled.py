"""Candidates priced on a modelled core, by warm worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from typing import Any

from compile.schedules.templates import Made
from compile.tuning.candidate import Examined, examine_candidate
from compile.tuning.workers import WorkerPool, result_of
from deploy_rpc.cores import Core


class ModelledCore:
    """`core` as a model, for candidates built for the target of `target_text`.

    A context manager, in which `workers` processes wait.
    """

    kind = "modelled"
    unit = "cycles"
    batch = 8

    def __init__(self, target_text: str, core: Core, workers: int) -> None:
        self._target_text, self._core = target_text, core
        self._pool = WorkerPool(workers, "compile.tuning.candidate")

    def __enter__(self) -> ModelledCore:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.close()

    def examine(self, pairs: Sequence[tuple[Made, Any]]) -> Iterator[tuple[int, Examined]]:
        """Of each pair its index and what became of it, in the order in which they are done.

        Raises `WorkerError`.
        """
        futures = {
            self._pool.start(
                examine_candidate, made, tile, self._target_text, self._core.name
            ): index
            for index, (made, tile) in enumerate(pairs)
        }
        for future in as_completed(futures):
            yield futures[future], result_of(future)
