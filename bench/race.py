"""A search against the clock: what each trial cost, and how long after the start it was known."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Race:
    """The trials of a search that has `seconds`; `start_cost` is known before it begins."""

    seconds: float
    start_cost: float
    trials: list[tuple[float, float]] = field(default_factory=list)  # seconds, cost
    begun: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Since the start."""
        return time.monotonic() - self.begun

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.elapsed >= self.seconds

    @property
    def best(self) -> float:
        """The least cost."""
        return min([self.start_cost, *(cost for _, cost in self.trials)])

    @property
    def best_at(self) -> float:
        """How long the best one took to be found; 0 where the start was the best."""
        return next((seconds for seconds, cost in self.trials if cost == self.best), 0.0)

    def note(self, cost: float) -> None:
        """Takes a trial that ends now, infinite where it failed; one that comes late counts not."""
        if not self.is_over:
            self.trials.append((self.elapsed, cost))
