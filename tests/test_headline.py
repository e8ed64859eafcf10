"""The first table of README says of which level our figures are."""

from __future__ import annotations

import pytest

from bench.readme_sections import headline
from bench.reports import Report
from tests.report_rows import a_report, a_row


def test_the_fastest_of_our_levels_is_named_beside_its_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def report(_: str, target: str) -> Report:
        levels = {"fused": [4.0], "tuned": [2.0 if target == "host" else 5.0]}
        ours = [a_row(ms, level=level, core=target) for level, ms in levels.items()]
        return a_report(*ours, a_row([8.0], engine="ncnn", level=None), name=target)

    monkeypatch.setattr(headline, "committed_report", report)
    text = headline.headline_section()
    assert "| host | shufflenet-1.0x-g3 | 2.00 ms, tuned | - | 4.00x |" in text
    assert "| cortex-a72 | shufflenet-1.0x-g3 | 4.00 ms, fused | - | 2.00x |" in text
