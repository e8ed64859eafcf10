"""python -m tests.fuzz [--seconds N] [PARSER ...]: fuzzes for so long each, and tells what came."""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import time
import warnings
from collections.abc import Callable

from hypothesis import HealthCheck, given, seed, settings

from model.cli import positive_int, run_command
from model.errors import InputError
from tests.fuzz.held import Held, held
from tests.fuzz.parsers import PARSERS, Parser

EXAMPLES = 300  # between two looks at the clock
HANG_S = 600  # an input that takes longer; a machine may be stopped for minutes


@dataclasses.dataclass
class Tally:
    """How many inputs were taken and refused, and how long the slowest took."""

    taken: int = 0
    refused: int = 0
    longest_s: float = 0.0


def main(arguments: list[str] | None = None) -> None:
    """Prints a line a parser; an exception that is no `InputError` ends it, with what caused it."""
    options = _parser().parse_args(arguments)
    for name in options.parsers or PARSERS:
        print(f"{name}: {fuzz_for(PARSERS[name], options.seconds, options.seed)}", flush=True)


def fuzz_for(parser: Parser, seconds: float, number: int) -> str:
    """Fuzzes for so long, and says what came.

    Raises `GrowthError` where more is held than behind the first examples, and what `parser.end`
    raises. An input that takes `HANG_S` ends this process, with a traceback.
    """
    begin, tally = time.monotonic(), Tally()
    watched = dataclasses.replace(parser, parse=_watched(parser.parse))
    for value in parser.sound:
        parser.parse(value)
    before = _batch(watched, number, tally)  # fills caches, too
    is_over = False
    while not is_over:
        number += 1
        after = _batch(watched, number, tally)
        is_over = time.monotonic() - begin >= seconds
    after.check(before)
    return (
        f"{tally.taken + tally.refused} inputs in {time.monotonic() - begin:.0f} s: {tally.taken} "
        f"taken, {tally.refused} refused, none that did anything else; the longest took "
        f"{tally.longest_s:.2f} s; behind the first {EXAMPLES}: {before}; at the end: {after}"
    )


def fuzz(parser: Parser, examples: int, number: int, tally: Tally) -> None:
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
        begin = time.monotonic()
        try:
            parser.parse(value)
        except InputError:
            tally.refused += 1
        else:
            tally.taken += 1
        tally.longest_s = max(tally.longest_s, time.monotonic() - begin)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow has something to say of every broken picture
        one()


def _batch(parser: Parser, number: int, tally: Tally) -> Held:
    """What is held behind `EXAMPLES` inputs, before a program that the parser runs has ended.

    Each batch has one of its own: AddressSanitizer keeps half a kilobyte of every thread.
    """
    fuzz(parser, EXAMPLES, number, tally)
    now = held()
    parser.end()
    return now


def _watched(parse: Callable[..., object]) -> Callable[..., object]:
    """`parse`, whose hanging, in C, too, ends the process."""

    def watched(value: object) -> None:
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        try:
            parse(value)
        finally:
            faulthandler.cancel_dump_traceback_later()

    return watched


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
