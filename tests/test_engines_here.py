"""The table of other engines says why one is missing, as things stand now."""

from __future__ import annotations

import pytest

from bench.readme_sections import engines_here
from tests.report_rows import a_report, a_row

OLD = "not offered: no environment holds its converter"


def test_an_engine_that_was_no_peer_yet_is_not_called_impossible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = a_row(interval=[1.0, 1.2], memory_bytes=1e6)
    report = a_report(row, not_measured={"litert": OLD, "mnn": "not installed: pip install MNN"})
    monkeypatch.setattr(engines_here, "committed_report", lambda *_: report)
    told = engines_here.engines_here_section()
    assert told.endswith(
        "Not measured: litert (no peer yet at that revision); mnn (not installed: pip install MNN)."
    )


def test_an_engine_without_a_quantiser_keeps_its_reason_in_int8(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = a_row(interval=None, memory_bytes=1e6, correlation=0.99)
    reason = "not offered in int8: its wheel has no quantiser"
    report = a_report(row, not_measured={"ncnn": reason})
    monkeypatch.setattr(engines_here, "committed_report", lambda *_: report)
    assert f"Not measured: ncnn ({reason})." in engines_here.int8_engines_section()
