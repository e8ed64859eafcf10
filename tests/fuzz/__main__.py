"""python -m tests.fuzz [--seconds N] [PARSER ...]: fuzzes for so long each, and tells what came."""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter

from hypothesis import HealthCheck, given, seed, settings

from model.cli import positive_int, run_command
from model.errors import InputError
from tests.fuzz.parsers import PARSERS, Parser

EXAMPLES = 300  # between two looks at the clock


def main(arguments: list[str] | None = None) -> None:
    """Prints a line a parser; an exception that is no `InputError` ends it, with what caused it."""
    options = _parser().parse_args(arguments)
    for name in options.parsers or PARSERS:
        begin, tally, number = time.monotonic(), Counter(), options.seed
        while time.monotonic() - begin < options.seconds:
            fuzz(PARSERS[name], EXAMPLES, number, tally)
            number += 1
        seconds = time.monotonic() - begin
        print(
            f"{name}: {tally.total()} inputs in {seconds:.0f} s: {tally['taken']} taken, "
            f"{tally['refused']} refused, none that did anything else",
            flush=True,
        )


def fuzz(parser: Parser, examples: int, number: int, tally: Counter[str]) -> None:
    """So many inputs, the same ones for a `number`; raises what a parser must not."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(parser.strategy)
    def one(value: object) -> None:
        try:
            parser.parse(value)
        except InputError:
            tally["refused"] += 1
        else:
            tally["taken"] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow has something to say of every broken picture
        one()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    add = parser.add_argument
    add("parsers", nargs="*", metavar="PARSER", choices=[*PARSERS, []],
        help=f"{', '.join(PARSERS)} (default: all)")  # fmt: skip
    add("--seconds", type=positive_int, default=60, metavar="N", help="for each (default: 60)")
    add("--seed", type=positive_int, default=1, metavar="N", help="of the first inputs")
    return parser


if __name__ == "__main__":
    run_command(main)
