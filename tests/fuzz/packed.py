"""The same library as a TVM module, with arguments that are right, wrong, or nothing at all."""

from __future__ import annotations

import functools

import numpy as np
import tvm
import tvm_ffi
from hypothesis import strategies as st

from model.errors import InputError
from tests.fuzz.interface import fuzzed_library

RIGHT = ["input", "output"]
MOST = len(RIGHT) + 2
TENSORS = (*RIGHT, "float64", "int32", "with gaps", "no values", "a row more", "one value less")
arguments = st.just(RIGHT) | st.lists(
    st.sampled_from(TENSORS) | st.none() | st.integers(-1, 2**62) | st.text(max_size=3),
    max_size=MOST,
)


class RefusedError(InputError):
    """What the library answers to arguments that it does not take."""


def calls_packed(given: list[str | int | None]) -> None:
    """Raises `RefusedError` where the library refuses, and only where it has a reason to."""
    main, tensors = _main()
    values = [tensors[each]() if each in TENSORS else each for each in given]
    try:
        main(*values)
    except (TypeError, ValueError) as error:
        assert given != RIGHT
        raise RefusedError(str(error)) from error
    assert given == RIGHT


@functools.cache
def _main():  # noqa: ANN202 (TVM's own function)
    """The function, and what makes an argument of each kind."""
    library = fuzzed_library(False)
    x, y = (np.zeros(shape, np.float32) for shape in (library.input_shape, library.output_shape))
    arrays = {
        "input": x,
        "output": y,
        "float64": x.astype(np.float64),
        "int32": x.astype(np.int32),
        "with gaps": np.zeros((*x.shape[:-1], 2 * x.shape[-1]), np.float32)[..., ::2],
        "no values": x[:0],
        "a row more": np.zeros((*x.shape[:-2], x.shape[-2] + 1, x.shape[-1]), np.float32),
        "one value less": y.reshape(-1)[1:],
    }
    makers = {kind: functools.partial(tvm_ffi.from_dlpack, each) for kind, each in arrays.items()}
    return tvm.runtime.load_module(str(library.path))["main"], makers
