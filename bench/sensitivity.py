"""What int8 costs a network by layer, and what it gains where the dearest ones stay float32.

The networks and pictures are those of suite accuracy. A row a layer says what the logits are off by
with its int8 alone; a row a variant, of int8 throughout and of the first steps of `--keep-float
auto`, what it answers and how long it takes. The answers are this machine's: int8 gives the same
everywhere, and so do kernels of float32 in between. The cycles are those of a library for the
target, calibrated on `FEW` pictures, which changes its constants and no instruction.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Group
from rich.table import Table

from bench.accuracy import LOGITS_UNIT
from bench.accuracy_subjects import Subject
from bench.our_networks import modelled_core
from bench.over_pictures import predictions_of
from bench.rows import ENGINE, Row, report_row
from compile.examine import examine
from compile.library import build_library
from compile.link import find_linker
from compile.lower import DEFAULT_LEVEL, lower
from compile.network import Network
from compile.quantise.inputs import Calibration
from compile.sensitivity.choose import steps_from_int8
from compile.sensitivity.measure import measure_sensitivity
from compile.sensitivity.table import LayerCost, Sensitivity
from compile.targets import CompileTarget, host_target, with_dtype
from deploy_rpc.board_spec import BoardSpec, parse_board
from deploy_rpc.cores import Core
from model.cli import phase
from model.predictions import accuracy, agreement

STEPS = 3  # the first of them int8 throughout
FEW = 4


def measure_int8_by_layer(
    subject: Subject, target: CompileTarget, board: BoardSpec
) -> Iterator[Row]:
    """The rows of `subject`, `target` being of int8 and `board` a modelled one."""
    torch.set_num_threads(1)  # as suite accuracy does
    network = subject.network()
    calibration = subject.calibration(network)
    with phase(f"what int8 costs {subject.data} by layer"):
        sensitivity = measure_sensitivity(network, target, calibration)
    for layer in sensitivity.layers:
        yield _layer_row(subject, network, target, sensitivity, layer)
    for kept in itertools.islice(steps_from_int8(sensitivity), STEPS):
        yield _variant_row(subject, network, target, board, calibration, sensitivity, kept)


def _layer_row(
    subject: Subject,
    network: Network,
    target: CompileTarget,
    sensitivity: Sensitivity,
    layer: LayerCost,
) -> Row:
    costs = dataclasses.asdict(layer)
    row = _row(subject, network, target, "measured", LOGITS_UNIT, layer.error)
    return row | {
        "layer": costs.pop("name"),
        **costs,
        "macs_share": layer.macs / sensitivity.macs,
        "pictures": sensitivity.pictures,
    }


def _variant_row(
    subject: Subject,
    network: Network,
    target: CompileTarget,
    board: BoardSpec,
    calibration: Calibration,
    sensitivity: Sensitivity,
    kept: tuple[str, ...],
) -> Row:
    what = f"{subject.data} in int8{' without ' if kept else ''}{', '.join(kept)}"
    with phase(f"{what} on this machine, {len(subject.pictures)} pictures"):
        here = with_dtype(host_target(), "int8")
        lowered = lower(network, DEFAULT_LEVEL, here, calibration=calibration, kept=kept)
        local = parse_board("local")
        predictions = predictions_of(lowered, local, subject.pictures, subject.reference)
    few = dataclasses.replace(calibration, inputs=calibration.inputs[:FEW])
    modelled = lower(network, DEFAULT_LEVEL, target, calibration=few, kept=kept)
    with tempfile.TemporaryDirectory() as folder:
        path, linker = Path(folder) / "network.so", find_linker("auto", target)
        library = build_library(modelled, target, linker, path)
        _, (latency,) = examine([modelled], path, linker, board)
        library_bytes = library.path.stat().st_size
    judged, compared = accuracy(predictions), agreement(predictions)
    errors = [each.reference_error / each.reference_range for each in predictions]
    core = modelled_core(target, board)
    return _row(subject, network, target, "modelled", latency.unit, latency.median, core) | {
        "layer": None,
        "kept": list(kept),
        "macs_share": sensitivity.share(kept),
        "expected_error": sensitivity.error(kept),
        "errors": errors,
        "pictures": len(predictions),
        "top1": judged["top1"],
        "agree": compared["agree"],
        "library_bytes": library_bytes,
        "calibrated_on": calibration.described,
    }


def _row(
    subject: Subject,
    network: Network,
    target: CompileTarget,
    kind: str,
    unit: str,
    value: float,
    core: Core | None = None,
) -> Row:
    return report_row(
        "sensitivity",
        target,
        network=network,
        engine=ENGINE,
        level=DEFAULT_LEVEL,
        threads=1,
        kind=kind,
        unit=unit,
        samples=[value],
        core=core,
        data=subject.data,
    )


def sensitivity_tables(rows: Sequence[Row]) -> Group:
    """Of the rows that `measure_int8_by_layer` makes: the variants, then the layers."""
    variants = Table(title="Layers kept in float32", title_justify="left")
    layers = Table(title="What int8 costs, by layer", title_justify="left")
    for table, columns in ((variants, VARIANT_COLUMNS), (layers, LAYER_COLUMNS)):
        for column in columns:
            table.add_column(column)
    for row in rows:
        if row["layer"] is None:
            variants.add_row(*variant_cells(row))
        else:
            layers.add_row(*layer_cells(row))
    layers.caption = (
        "error of the logits, root mean square as a share of their range, with the layer's weights "
        "or its output alone rounded"
    )
    return Group(layers, variants)


VARIANT_COLUMNS = (
    "pictures", "in float32", "of MACs", "top-1", "same class", "median error", "expected",
    "modelled", "library",
)  # fmt: skip
LAYER_COLUMNS = (
    "pictures",
    "layer",
    "computes",
    "of MACs",
    "weights",
    "changed",
    "output",
    "changed",
)


def variant_cells(row: Row) -> tuple[str, ...]:
    """Of a row of a variant, by `VARIANT_COLUMNS`."""
    return (
        row["data"],
        ", ".join(row["kept"]) or "nothing",
        f"{row['macs_share']:.1%}",
        f"{row['top1']:.2%}",
        f"{row['agree']} of {row['pictures']}",
        f"{statistics.median(row['errors']):.1e}",
        f"{row['expected_error']:.1e}",
        f"{row['median']:.3f} {row['unit']}",
        f"{row['library_bytes']:,} bytes",
    )


def layer_cells(row: Row) -> tuple[str, ...]:
    """Of a row of a layer, by `LAYER_COLUMNS`."""
    return (
        row["data"],
        row["layer"],
        row["what"],
        f"{row['macs_share']:.1%}",
        f"{row['weights_error']:.4f}",
        str(row["weights_changed"]),
        f"{row['output_error']:.4f}",
        str(row["output_changed"]),
    )
