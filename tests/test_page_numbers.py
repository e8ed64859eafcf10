"""Numbers keep the digits that count, and their unit."""

from __future__ import annotations

import pytest

from bench.report_page.numbers import number, percent, quantity, ratio


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.67959, "0.6796"),
        (1.9655, "1.966"),
        (62.922, "62.92"),
        (423.47, "423.5"),
        (2083.77, "2,084"),
        (2_886_064, "2,886,064"),
        (0.0, "0"),
        (0.00123456, "0.00123"),
        (4.12e-07, "4.12e-07"),
        (7, "7"),
    ],
)
def test_four_digits_count(value: float, text: str) -> None:
    assert number(value) == text


def test_units_stand_beside_their_number() -> None:
    assert quantity(2_886_064, "bytes") == "2,886,064 bytes"
    assert quantity(1.9655, "ms") == "1.966 ms"
    assert (ratio(1.884), ratio(152.4), percent(0.8924)) == ("1.88x", "152x", "89.2 %")
