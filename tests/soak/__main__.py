"""python -m tests.soak inference|deployment|searches|tuning: does it grow, lose, or err?

    inference   10,000 inferences of four instances on four threads: every output is the first
                one's, to the bit; memory, threads and open files at the start and at the end
    deployment  a library on a board at a tracker, again after each of five faults
    searches    a search, killed, interrupted, its log torn or its disk full, and resumed
    tuning      a search on two boards at a tracker, of which a session or an agent is killed or
                stopped every few seconds; then the log is replayed, and what is left is counted

All print what they saw, and exit 1 where anything was wrong, lost, or left.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from model.cli import positive_int, run_command
from tests.soak.deployment import soak_deployment
from tests.soak.inference import soak_inference
from tests.soak.interruptions import soak_interruptions
from tests.soak.tuning import soak_tuning


def main(arguments: list[str] | None = None) -> None:
    """Runs one of them."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it off
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Long runs.")
    kinds = parser.add_subparsers(required=True, metavar="inference|deployment|searches|tuning")
    inference = kinds.add_parser("inference")
    inference.set_defaults(run=lambda options: soak_inference(options.model, options.inferences))
    inference.add_argument("--inferences", type=positive_int, default=10_000, metavar="N")
    inference.add_argument("--model", default="shufflenet-0.5x-g3", metavar="NAME")
    deployment = kinds.add_parser("deployment")
    deployment.set_defaults(run=lambda options: soak_deployment(options.times))
    deployment.add_argument("--times", type=positive_int, default=10, metavar="N",
        help="each fault so often (default: 10)")  # fmt: skip
    searches = kinds.add_parser("searches")
    searches.set_defaults(run=lambda options: soak_interruptions(options.times))
    searches.add_argument("--times", type=positive_int, default=5, metavar="N",
        help="each fault so often (default: 5)")  # fmt: skip
    tuning = kinds.add_parser("tuning")
    tuning.set_defaults(
        run=lambda given: soak_tuning(
            given.minutes, given.seed, given.timeout, given.pause, given.json
        )
    )
    add = tuning.add_argument
    add("--minutes", type=positive_int, default=60, metavar="N")
    add("--seed", type=positive_int, default=1, metavar="N", help="of the faults")
    add("--timeout", type=positive_int, default=15, metavar="S",
        help="of tune.py: how long a silent board is waited for (default: 15)")  # fmt: skip
    add("--pause", type=positive_int, default=8, metavar="S",
        help="between faults, on average; more where the machine is busy (default: 8)")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="every fault with what was seen after it")
    return parser


if __name__ == "__main__":
    run_command(main)
