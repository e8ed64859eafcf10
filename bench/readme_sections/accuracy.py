"""What each number format costs in accuracy, over pictures and layer by layer."""

from __future__ import annotations

import itertools

from bench.accuracy_table import calibrated_on, dtypes_of, layer_lines, where_run, whole_rows
from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, markdown
from bench.reports import Report

TARGET = "neoverse-n1"
HEADINGS = (
    "pictures", "model", "number format", "board", "top-1", "top-5", "same class",
    "same five best", "median error", "largest",
)  # fmt: skip


def accuracy_section() -> str:
    """A row a network and number format, then a row a layer."""
    report = committed_report("accuracy", TARGET)
    first = next(row for row in report.rows if row.get("layer") is not None)
    what = (
        "Beside PyTorch in float32. Above: error of a logit, as a share of the logits' range. "
        "Below: error after each layer, root mean square as a share of what the layer gives varies "
        f"by, median of {first['pictures']} pictures; it adds up along the network. "
        f"{'. '.join(calibrated_on(report.rows))}"
    )
    return "\n".join([*_formats(report), "", *_layers(report), "", conditions(what, report)])


def _formats(report: Report) -> list[str]:
    rows = (
        (
            row["data"],
            row["model"],
            row["dtype"],
            where_run(row),
            f"{row['top1']:.2%}",
            f"{row['top5']:.2%}",
            f"{row['agree']} of {row['pictures']}",
            f"{row['same_best']} of {row['pictures']}",
            f"{row['median']:.1e}",
            f"{row['largest_error']:.1e}",
        )
        for row in whole_rows(report.rows)
    )
    return markdown(HEADINGS, rows)


def _layers(report: Report) -> list[str]:
    """A row a layer, of whichever network; a column a network and number format."""
    lines = dict(layer_lines(report.rows))
    data_sets = dict.fromkeys(data for data, _ in lines)
    columns = list(itertools.product(data_sets, dtypes_of(report.rows)))
    rows = (
        (layer, *(_error(lines.get((data, layer), {}).get(dtype)) for data, dtype in columns))
        for layer in dict.fromkeys(layer for _, layer in lines)
    )
    return markdown(("layer", *(f"{data}, {dtype}" for data, dtype in columns)), rows)


def _error(error: float | None) -> str:
    return "-" if error is None else f"{error:.1e}"
