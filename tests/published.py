"""Cores of which other loads and stores are published."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from unittest import mock

from deploy_rpc.core_models import MODELS, model_doubts


@contextlib.contextmanager
def published_of(core: str, **a_cycle: float | None) -> Iterator[None]:
    """Meanwhile `loads` or `stores` of `core` are published as `a_cycle`; needs llvm-mca."""
    model = dataclasses.replace(MODELS[core], **a_cycle)
    with mock.patch.dict(MODELS, {core: model}):
        model_doubts.cache_clear()
        try:
            yield
        finally:
            model_doubts.cache_clear()
