"""A report says by itself when its machine was too noisy, and is silent when it was not."""

from __future__ import annotations

from typing import Any

from bench.noise import interval_width, noise_warnings


def a_row(low: float, high: float, **more: object) -> dict[str, Any]:
    row = {"suite": "peers", "model": "alexnet", "kind": "measured", "engine": "mnn", "median": 100}
    return row | {"interval": [low, high]} | more


def a_machine(before: float, after: float) -> dict[str, Any]:
    return {"machine": {"peak": {"median": before}, "peak_after": {"median": after}}}


def test_a_quiet_run_has_no_warning() -> None:
    assert list(noise_warnings(a_machine(100, 99), [a_row(98, 102)])) == []


def test_a_wide_interval_is_named_with_its_width() -> None:
    rows = [a_row(99, 101), a_row(95, 103), a_row(90, 110)]
    assert interval_width(rows[1]) == 0.08
    (warning,) = noise_warnings({}, rows)
    assert warning.startswith("2 of 3 intervals are wider than 5%")
    assert "alexnet mnn with 20%" in warning


def test_a_peak_that_moved_is_named() -> None:
    (warning,) = noise_warnings(a_machine(100, 90), [])
    assert "moved by -10.0% over the run, from 100.0 to 90.0 GFLOP/s" in warning


def test_what_was_modelled_or_taken_once_has_no_noise() -> None:
    rows = [a_row(0, 1e9, kind="modelled"), a_row(0, 0) | {"interval": None}]
    assert list(noise_warnings({}, rows)) == []
