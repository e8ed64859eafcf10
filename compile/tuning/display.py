"""What one sees of a search: a table that lives at a terminal, plain lines anywhere else."""

from __future__ import annotations

import datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table

from compile.tuning.tuner import Progress, Step, Tuner
from deploy_rpc.cores import Core
from model.console import table_console

HEADINGS = {
    "cycles": ("Modelled cycles", "k", "of peak"),
    "s": ("Measured times", "us", "GMAC/s"),
}
LINES_AROUND = 8  # of a terminal: the table's frame, the lines below, and what was there before


class Display:
    """Shows how `tuner` goes on, up to `trials`; a context manager, in which `report` is told."""

    def __init__(
        self, tuner: Tuner, trials: int, unit: str, core: Core, console: Console | None = None
    ) -> None:
        self._tuner, self._trials, self._unit, self._core = tuner, trials, unit, core
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def report(self, step: Step) -> None:
        """A batch is done: a new table, or a line."""
        if not self._console.is_terminal:
            self._console.print(self._line(step), highlight=False, soft_wrap=True)
            return
        rows = max(self._console.size.height - LINES_AROUND, 1)
        table = search_table(self._tuner, self._unit, self._core, rows)
        table.caption, table.caption_justify = self._line(step), "left"
        self._live.update(table, refresh=True)

    def _line(self, step: Step) -> str:
        rate = step.trials / max(step.seconds, 1e-9)
        left = (
            f"at most {_duration(max(self._trials - step.trials, 0) / rate)} left"
            if rate
            else "resumed"
        )
        return (
            f"{step.trials:5d}/{self._trials} trials, {network_cost(step.cost, self._unit)}, "
            f"{rate:.1f} trials/s, {left} ({step.task})"
        )


def print_result(tuner: Tuner, unit: str, core: Core) -> None:
    """All kernels, the dearest first, and their sum."""
    console = table_console()
    console.print(search_table(tuner, unit, core, len(tuner.progress)))
    before, after = tuner.default_network_cost, tuner.network_cost
    print(
        f"sum of all kernels, each alone: {network_cost(before, unit).strip()} -> "
        f"{network_cost(after, unit).strip()} ({before / after:.3f}x)"
    )
    failing = [each.task.name for each in tuner.progress if not each.compares]
    if failing:
        print(f"not in the sum, as their default tile fails: {', '.join(failing)}")


def search_table(tuner: Tuner, unit: str, core: Core, rows: int) -> Table:
    """The `rows` kernels that take most of the network, as far as they are known."""
    kind, short, speed = HEADINGS[unit]
    title = f"{kind} of one call, {core.name}, one thread"
    table = Table("kernel", title=title, title_justify="left")
    for column in ("calls", "tried", "of", f"default, {short}", f"best, {short}", "gain", speed):
        table.add_column(column, justify="right")
    table.add_column("of network", justify="right")
    for each in tuner.dearest_first()[:rows]:
        table.add_row(*_row(each, tuner.network_cost, unit, core))
    return table


def network_cost(cost: float, unit: str) -> str:
    """A cost of the whole network, with what it is."""
    if unit == "cycles":
        return f"{cost / 1e6:8.3f} M modelled cycles"
    return f"{cost * 1e3:8.3f} ms measured"


def _row(each: Progress, total: float, unit: str, core: Core) -> list[str]:
    scale = 1e-3 if unit == "cycles" else 1e6
    rate = each.task.macs / each.best_cost
    speed = f"{rate / core.macs_per_cycle:.1%}" if unit == "cycles" else f"{rate / 1e9:.1f}"
    return [
        each.task.name,
        str(each.task.calls),
        str(len(each.tried)),
        str(len(each.space)),
        f"{each.default_cost * scale:.1f}",
        f"{each.best_cost * scale:.1f}",
        f"{each.default_cost / each.best_cost:.3f}x",
        speed if each.task.macs else "-",
        f"{each.task.calls * each.best_cost / total:.1%}",
    ]


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
