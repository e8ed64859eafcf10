"""The mean of each channel is what a dense layer behind a global pool takes, in either layout."""

from __future__ import annotations

import numpy as np
import pytest

from compile.schedules.dense_tiles import default_tile
from compile.schedules.dense_workload import DenseWorkload
from deploy_rpc.cores import Core
from tests.cores import AVX512, BOTH
from tests.test_dense import output_of

# fmt: off
HEADS = {
    #                    M     K   relu  pixels layout
    "head of planes":  (100,  24, False,  49, "planes"),
    "head of channels": (100, 24, False,  49, "channels"),
    "odd head":        (17,   19, True,    6, "channels"),
    "small planes":    (17,   19, True,    3, "planes"),
}
# fmt: on


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("name", HEADS)
def test_every_head_gives_its_definition(name: str, core: Core) -> None:
    w = DenseWorkload(*HEADS[name])
    got, expected = output_of(w, default_tile(w, core))
    np.testing.assert_allclose(got, expected, atol=1e-4)  # float32 sums of up to 24 products


@pytest.mark.parametrize("name", ["head of planes", "head of channels"])
def test_threads_change_no_bit(name: str) -> None:
    w = DenseWorkload(*HEADS[name])
    one, two = (output_of(w, default_tile(w, AVX512), threads)[0] for threads in (1, 2))
    assert np.array_equal(one, two)
