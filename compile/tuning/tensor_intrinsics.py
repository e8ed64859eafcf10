"""MetaSchedule without TVM's tensor intrinsics, which take 30 s to import."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator

TENSOR_INTRINSICS = "tvm.s_tir.tensor_intrin"


@contextlib.contextmanager
def without_tensor_intrinsics() -> Iterator[None]:
    """A context imports TVM's tensor intrinsics, 30 s; no rule of ours has a use for them."""
    known = sys.modules.get(TENSOR_INTRINSICS)
    sys.modules[TENSOR_INTRINSICS] = known or types.ModuleType(TENSOR_INTRINSICS)
    try:
        yield
    finally:
        if known is None:
            del sys.modules[TENSOR_INTRINSICS]
