"""The trained network of the tests, imported once a process."""

from __future__ import annotations

import functools
from pathlib import Path

from compile.build_options import parse_options
from compile.network import Network
from compile.source import import_network


@functools.cache
def trained_network(checkpoint: Path) -> Network:
    """The official ShuffleNet 0.5x g3 of `checkpoint`, as build.py imports it."""
    return import_network(parse_options(["--target", "host", "--weights", str(checkpoint)]))
