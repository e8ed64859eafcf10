"""A report says what is published against the pipeline models that its rows come from."""

from __future__ import annotations

from bench.model_warnings import model_warnings
from tests.needs import needs_cycle_model
from tests.published import published_of
from tests.report_rows import a_row


@needs_cycle_model
def test_a_core_whose_stores_are_published_otherwise_is_named_once() -> None:
    with published_of("neoverse-n1", stores=2):
        rows = [
            *(a_row(kind="modelled", core=core) for core in ("neoverse-n1", "cortex-a72")),
            *(a_row(kind=kind, core="neoverse-n1") for kind in ("modelled", "measured")),
        ]
        (warning,) = model_warnings(rows)
        assert list(model_warnings([a_row(core="neoverse-n1")])) == []
    assert warning == (
        "LLVM's model of neoverse-n1 prices otherwise than published (8 stores of 128 bits cost "
        "8.0 cycles there, 4 as published)"
    )
