"""Tiles at the borders of a picture are written apart from those between."""

from __future__ import annotations

from compile.schedules.window_channels import window_channels
from compile.schedules.window_channels_tiles import WindowChannelsTile
from tests.test_window_channels import in_channels


def test_borders_are_no_condition_in_the_loop() -> None:
    """Columns outside the picture are left out of the code; rows outside, of the loop's range."""
    text = window_channels(in_channels("depthwise 28"), WindowChannelsTile(7, 1, 8), 1).script()
    assert "T.if_then_else" not in text
    assert "if " not in text
