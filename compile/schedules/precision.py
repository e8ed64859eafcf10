"""In which number format a kernel computes, and what a note or a record says of it.

`dtype` of a workload is of its inputs, weights and arithmetic, `result_dtype`, where it has one, of
what it stores; `weight_bits`, where it has them, are of a weight in memory. Formats are float32 and
bits 32 unless said otherwise, and then a note or a record leaves them out: records from before
there were others mean what they meant.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tvm import tirx

from deploy_rpc.cores import Dtype

FLOAT32: Dtype = "float32"
USUAL = {"dtype": FLOAT32, "result_dtype": FLOAT32, "weight_bits": 32}


def dtype_of(workload: Any) -> Dtype:  # noqa: ANN401 (any template's workload)
    """Of the arithmetic; float32 for a template that knows no other."""
    return getattr(workload, "dtype", FLOAT32)


def stated_fields(workload: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of `workload`, number formats only where they are not the usual ones."""
    fields = dataclasses.asdict(workload)
    return {n: v for n, v in fields.items() if not (n in USUAL and v == USUAL[n])}


def converted(value: tirx.Expr, dtype: Dtype) -> tirx.Expr:
    """`value`, or a vector of them, as `dtype`; itself where it is that already."""
    given = str(value.ty)
    wanted = "x".join([dtype, *given.split("x")[1:]])
    return value if given == wanted else tirx.Cast(wanted, value)
