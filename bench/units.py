"""The units of all rows of reports, each with the words for a figure that is better, and worse."""

from __future__ import annotations

FASTER, SMALLER = ("faster", "slower"), ("smaller", "larger")
HIGHER, NEARER = ("higher", "lower"), ("nearer", "further")

# fmt: off
WORDS = {
    "s":                        FASTER,
    "ms":                       FASTER,
    "us":                       FASTER,
    "cycles":                   FASTER,
    "kcycles":                  FASTER,
    "Mcycles":                  FASTER,
    "bytes":                    SMALLER,
    "MB":                       SMALLER,
    "GFLOP/s":                  HIGHER,
    "GOP/s":                    HIGHER,
    "GB/s":                     HIGHER,
    "rank correlation":         HIGHER,
    "% top-1":                  HIGHER,
    "of the logits' range":     NEARER,  # errors, as is the next
    "of the layer's deviation": NEARER,
}
# fmt: on
BETTER = frozenset(better for better, _ in WORDS.values())


def more_is_better(unit: str) -> bool:
    """Whether a greater figure in `unit`, which is one of `WORDS`, is a better one."""
    return WORDS[unit] == HIGHER
