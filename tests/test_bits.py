"""Answers agree to the last bit, or they differ."""

from __future__ import annotations

import numpy as np

from bench.bits import same_bits


def test_a_nought_of_another_sign_has_other_bits() -> None:
    one, nought = np.ones(2, np.float32), np.zeros(2, np.float32)
    assert same_bits([one, nought], [one.copy(), nought.copy()])
    assert not same_bits([one, nought], [one, -nought])
