"""The tuning curve as a picture: the network's cost over the trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compile.tuning.tuner import Step
from model.cli import write_atomically

SCALES = {"cycles": (1e-6, "M modelled cycles"), "s": (1e3, "measured ms")}


def draw_curve(steps: Sequence[Step], unit: str, title: str, path: Path) -> bool:
    """Writes a PNG; says what to install and returns False without matplotlib.

    The cost is the sum over all kernels with their best tiles so far, in `unit`.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print(f"no {path.name}: matplotlib is not installed (pip install '.[plots]')")
        return False
    scale, label = SCALES[unit]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.step([step.trials for step in steps], [step.cost * scale for step in steps], where="post")
    axes.set_title(title)
    axes.set_xlabel("trials")
    axes.set_ylabel(f"{label}, all kernels, one thread")
    axes.ticklabel_format(useOffset=False)
    axes.grid(alpha=0.3)
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150, format="png"))
    return True
