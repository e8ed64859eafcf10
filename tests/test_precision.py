"""Number formats of workloads: what notes and records say of them."""

from __future__ import annotations

import dataclasses

from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.lrn import LrnWorkload
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.precision import dtype_of, stated_fields
from compile.schedules.templates import made_by_default, made_from
from deploy_rpc.cores import find_core

N1 = find_core("neoverse-n1")
POINTWISE = PointwiseWorkload(3, 8, 4, 16, relu=True, shortcut=False)
HEAD = DenseWorkload(16, 8, relu=False, dtype="float16")  # whose result is float32


def test_float32_is_not_stated() -> None:
    assert "dtype" not in stated_fields(POINTWISE)
    assert set(stated_fields(HEAD)) >= {"dtype"}
    assert "result_dtype" not in stated_fields(HEAD)


def test_a_template_that_knows_no_other_computes_in_float32() -> None:
    assert dtype_of(LrnWorkload(16, 49, 2, 2, 1e-4, 2.0)) == "float32"
    assert dtype_of(HEAD) == "float16"


def test_a_kernel_is_made_again_from_its_note_in_its_own_format() -> None:
    for workload in (HEAD, POINTWISE, dataclasses.replace(POINTWISE, dtype="float16")):
        made = made_by_default(workload, N1, 1)
        assert made_from(made.kernel()) == made
        assert made.tile.lanes == (8 if dtype_of(workload) == "float16" else 4)
