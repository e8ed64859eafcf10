"""python compile/build.py --target arm_cpu: a network to a verified shared library for a core."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from compile.build_options import parse_options, print_options
from compile.examine import check_board, compares_here, examine
from compile.library import build_library
from compile.link import find_host_linker, find_linker
from compile.lower import Lowered, ladder, lower
from compile.network import Network
from compile.quantise.inputs import Calibration, calibration_on_pictures, synthetic_calibration
from compile.report import build_report
from compile.report_tables import print_report, print_sensitivity
from compile.sensitivity.choose import layers_within
from compile.sensitivity.measure import measure_sensitivity
from compile.sensitivity.table import Sensitivity
from compile.source import import_network
from compile.tuning.decisions import RecordedDecisions, recorded_decisions
from model.cli import phase, run_command, write_json
from model.output_folder import make_output_folder
from model.temporary import locked_folder, temporary_folder

PUBLISHED_SUFFIXES = (".json", ".h", ".a", ".so")


def main(arguments: list[str] | None = None) -> None:
    """Builds, verifies, times; writes `OUT/NAME.TARGET.so`, `.h` and `.json`, or nothing."""
    options = parse_options(arguments)
    print_options(options)
    linker = find_linker(options.linker, options.target)
    compared = compares_here(options.board, options.target)
    host_linker = find_host_linker(options.linker) if compared else None
    check_board(options.board, options.target)
    with _staging_folder(options.out) as staging:
        with phase("import"):
            network = import_network(options)
        if options.dump:
            make_output_folder(options.dump)
        decisions = None
        if options.level == "tuned":
            decisions = recorded_decisions(options.tuning_logs, options.target.core)
        calibration = _calibration(options, network)
        sensitivity = _sensitivity(options, network, calibration)
        kept = _kept(options, sensitivity)
        rungs = _rungs(options, network, decisions, calibration, kept)
        name = f"{network.name}.{options.target.name}"
        with phase(f"compile for {options.target.triple}, link with {linker.name}"):
            library = build_library(
                rungs[-1], options.target, linker, staging / f"{name}.so", static=options.static
            )
        verifications, latencies = examine(rungs, library.path, linker, options.board, host_linker)
        logs = decisions.digests if decisions else {}
        report = build_report(rungs[-1], verifications, latencies, library, logs)
        if sensitivity:
            report["sensitivity"] = asdict(sensitivity)
            print_sensitivity(sensitivity, kept)
        write_json(staging / f"{name}.json", report)
        print_report(rungs[-1], verifications, latencies, library)
        publish((staging / f"{name}.json", *library.files), options.out)
    if options.json:
        write_json(options.json, report)
    print(options.out / f"{name}.so")


def publish(files: Sequence[Path], out: Path) -> None:
    """Moves all `files` to `out`, the library last; what an earlier build had beside it goes.

    Of two builds at once one is there whole, the last one.
    """
    library, names = files[-1], {file.name for file in files}
    beside = [library.with_suffix(suffix).name for suffix in PUBLISHED_SUFFIXES]
    with locked_folder(out):
        for name in beside:
            if name not in names:
                (out / name).unlink(missing_ok=True)
        for file in files:
            file.replace(out / file.name)


def _calibration(options: argparse.Namespace, network: Network) -> Calibration | None:
    """What int8 is calibrated on; None for other types."""
    if options.target.dtype != "int8":
        return None
    if options.calibration is None:
        return synthetic_calibration(network)
    with phase(f"read pictures of {options.calibration}"):
        return calibration_on_pictures(options.calibration, network)


def _sensitivity(
    options: argparse.Namespace, network: Network, calibration: Calibration | None
) -> Sensitivity | None:
    """What each layer costs in int8, where it is asked for or decides what stays float32."""
    decides = options.keep_float and options.keep_float.budget is not None
    if not (options.sensitivity or decides):
        return None
    with phase(f"what int8 costs by layer, on {calibration.described}"):
        return measure_sensitivity(network, options.target, calibration, options.threads)


def _kept(options: argparse.Namespace, sensitivity: Sensitivity | None) -> tuple[str, ...]:
    """The layers that stay float32, or spans of them."""
    if options.keep_float is None:
        return ()
    if options.keep_float.budget is None:
        return options.keep_float.layers
    return layers_within(sensitivity, options.keep_float.budget)


def _rungs(
    options: argparse.Namespace,
    network: Network,
    decisions: RecordedDecisions | None,
    calibration: Calibration | None,
    kept: Sequence[str],
) -> list[Lowered]:
    """The network at each level of the ladder that is compared, the one that ships last."""
    modelled = options.board is not None and options.board.kind == "modelled"
    levels = ladder(options.level, options.target.dtype, modelled=modelled)
    with phase(f"lower {', '.join(levels)}"):
        return [
            lower(
                network,
                level,
                options.target,
                threads=options.threads,
                decisions=decisions,
                calibration=calibration,
                kept=kept,
                dump=options.dump,
            )
            for level in levels
        ]


@contextlib.contextmanager
def _staging_folder(out: Path) -> Iterator[Path]:
    """A temporary folder inside `out`, which is removed again if it was made here for nothing."""
    existed = out.exists()
    make_output_folder(out)
    try:
        with temporary_folder(".build-", out) as staging:
            yield staging
    finally:
        if not existed:
            with contextlib.suppress(OSError):  # not empty: something was built
                out.rmdir()


if __name__ == "__main__":
    run_command(main)
