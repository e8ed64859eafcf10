"""What int8 costs by layer, and what it gains where the dearest layers stay float32."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, markdown
from bench.rows import Row
from bench.sensitivity import LAYER_COLUMNS, VARIANT_COLUMNS, layer_cells, variant_cells

TARGET = "neoverse-n1-int8"
DEAREST = 4  # layers of each network


def sensitivity_section() -> str:
    """The dearest layers of each network, then what keeping layers in float32 brings."""
    report = committed_report("sensitivity", TARGET)
    layers = [row for row in report.rows if row["layer"] is not None]
    variants = [row for row in report.rows if row["layer"] is None]
    dearest = [
        row
        for data in dict.fromkeys(row["data"] for row in layers)
        for row in _dearest([row for row in layers if row["data"] == data])
    ]
    what = (
        "Above: error of the logits, root mean square as a share of their range, where a layer's "
        f"weights or its output alone are int8, by the {DEAREST} dearest layers, and on how many "
        "pictures the class changes. Below: int8 with layers in float32, the error found for each "
        "picture's worst logit (median) and the one expected (root mean square); answers measured "
        f"on this machine, cycles modelled on {variants[0]['core']}"
    )
    return "\n".join(
        [
            *markdown(LAYER_COLUMNS, map(layer_cells, dearest)),
            "",
            *markdown(VARIANT_COLUMNS, map(variant_cells, variants)),
            "",
            conditions(what, report),
        ]
    )


def _dearest(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["median"], reverse=True)[:DEAREST]
