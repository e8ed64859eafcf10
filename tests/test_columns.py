"""Columns are told apart by whether they differ."""

from __future__ import annotations

from bench.columns import split_columns


def test_what_differs_is_told_from_what_does_not_and_from_what_is_empty() -> None:
    rows = [
        {"model": "a", "level": "fused", "input": None, "threads": 1},
        {"model": "b", "level": None, "input": None, "threads": 1, "more": 2},
    ]
    same, differ = split_columns(rows, ("model", "level", "input", "threads", "other"))
    assert same == {"threads": 1}
    assert differ == ["model", "level"]


def test_a_column_that_one_row_lacks_differs() -> None:
    assert split_columns([{}, {"kernel": "conv"}]) == ({}, ["kernel"])
