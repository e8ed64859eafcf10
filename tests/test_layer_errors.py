"""Errors of layers do not depend on how large their values are."""

from __future__ import annotations

import numpy as np
import pytest

from bench.layer_errors import relative_rms


def test_an_error_is_a_share_of_what_varies() -> None:
    expected = np.array([10.0, 14.0], np.float32)
    assert relative_rms(expected + 1, expected) == pytest.approx(0.5)
    assert relative_rms(expected, expected) == 0
    assert relative_rms(np.ones(3), np.zeros(3)) == 1
