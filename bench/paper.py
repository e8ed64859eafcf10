"""Table 8 of the ShuffleNet paper (arXiv:1707.01083v2): ms on one core of a Snapdragon 820."""

from __future__ import annotations

INPUTS = ("224x224", "480x640", "720x1280")
TABLE8_MS = {  # by network, in the order of INPUTS; one thread
    "shufflenet-0.5x-g3": (15.2, 87.4, 260.1),
    "shufflenet-1.0x-g3": (37.8, 222.2, 684.5),
    "shufflenet-2.0x-g3": (108.8, 617.0, 1857.6),
    "alexnet": (184.0, 1156.7, 3633.9),
    "mobilenet-1.0": (110.0, 612.0, 1879.2),
}
BASELINE = "alexnet"
SPEEDUP_GOALS = {  # this project's own: AlexNet over the network, each by its fastest engine
    ("shufflenet-0.5x-g3", "224x224"): 25.0,
    ("shufflenet-0.5x-g3", "480x640"): 17.0,
}


def paper_ms(model: str, input_size: str) -> float | None:
    """The paper's time, None for what it does not have."""
    times = dict(zip(INPUTS, TABLE8_MS.get(model, ()), strict=False))
    return times.get(input_size)


def paper_speedup(model: str, input_size: str) -> float | None:
    """AlexNet's time over that of `model`, as the paper has them."""
    ms = paper_ms(model, input_size)
    return None if ms is None else paper_ms(BASELINE, input_size) / ms
