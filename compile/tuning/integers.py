"""What kernels of int8 are tried with, and what they have to answer, to the bit.

The answers are those of `compile/quantise/kernel_reference.py`, in whole numbers; a kernel answers
under QEMU, as the program whose cycles are counted, or on a board.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tvm import tirx

from compile.quantise.kernel_reference import LARGEST_PRODUCT, kernel_reference
from compile.schedules.int8_lanes import HIGHEST, LOWEST, MULTIPLIER_BITS
from compile.schedules.int8_workloads import Int8DenseWorkload, Int8WindowWorkload
from compile.schedules.packing import WEIGHTS, indices_of
from compile.schedules.templates import TEMPLATES, Made
from deploy_rpc.cores import Core
from deploy_rpc.emulated_program import run_emulated

ODD = np.array([np.nan, np.inf, -np.inf, 3e38, 1e-42, 0.0, -0.0], np.float32)
LARGEST_MULTIPLIER = 1 << (MULTIPLIER_BITS - 1)
PRODUCT = 74 * 74  # of two values drawn evenly from all of int8, root mean square
WORD = 4  # bytes that the harness counts buffers in

Values = list[np.ndarray]


def of_integers(made: Made) -> bool:
    """Whether what `made` answers is known in whole numbers."""
    return kernel_reference(made) is not None


def drawn_integers(made: Made, seed: int = 0, *, extreme: bool = False) -> Values:
    """Values for all buffers of the kernel, the output last; they depend on the workload alone.

    int8 is of the whole range, or the lowest or highest where it is to be `extreme`, and floats
    then are odd. Multipliers are those of which most results stay within int8, and some do not.
    """
    values = []
    for number, buffer in enumerate(made.kernel().params):
        random = np.random.default_rng((seed, number))  # packed weights differ in size by the tile
        value = _drawn(random, made, buffer)
        values.append(_extreme(random, value) if extreme else value)
    if TEMPLATES[made.template].pack_weights and len(values) > 2:
        random = np.random.default_rng(seed)
        weights = random.integers(LOWEST + 1, HIGHEST + 1, indices_of(made.workload).shape)
        if extreme:
            weights = np.where(weights < 0, LOWEST + 1, HIGHEST)
        values[WEIGHTS] = np.ascontiguousarray(made.packed(weights.astype(np.int8)))
    return values


def integer_answer(made: Made, values: Sequence[np.ndarray]) -> np.ndarray:
    """What the output has to be after a call with `values`; of a half of a concat the other half is
    as it was.
    """
    *operands, before = values
    workload = made.workload
    if getattr(workload, "in_place", False):
        operands.append(before)
    result = kernel_reference(made)(made, list(operands))[0]
    total = getattr(workload, "stored_channels", 0)
    if not total:
        return result.reshape(before.shape)
    whole = before.copy().reshape(total, -1)
    first = workload.first_channel
    whole[first : first + workload.channels] = result.reshape(workload.channels, -1)
    return whole.reshape(before.shape)


def tried_values(made: Made) -> list[Values]:
    """What a candidate is called with: usual values, and extreme ones."""
    return [drawn_integers(made), drawn_integers(made, extreme=True)]


@functools.lru_cache(maxsize=8)
def right_integers(made: Made) -> list[np.ndarray]:
    """What `made` has to answer to `tried_values`; of the workload, not of the tile."""
    return [integer_answer(made, values) for values in tried_values(made)]


def emulated_answers(program: Path, sizes: Sequence[str], made: Made, core: Core) -> Values:
    """What `program`, with the arguments `sizes` (`kernel_program`), answers to `tried_values` on
    an emulated `core`; raises `ProgramError`.
    """
    return [_emulated_answer(program, sizes, values, core) for values in tried_values(made)]


def _emulated_answer(program: Path, sizes: Sequence[str], values: Values, core: Core) -> np.ndarray:
    lengths = [WORD * int(size) for size in sizes]
    padded = [v.tobytes().ljust(length, b"\0") for v, length in zip(values, lengths, strict=False)]
    with tempfile.NamedTemporaryFile(prefix="values-", dir=program.parent) as file:
        file.write(b"".join(padded))
        file.flush()
        run_emulated(program, ["answer", Path(file.name).name, *sizes], core)
        content = Path(file.name).read_bytes()
    output, begin = values[-1], sum(lengths[: len(values) - 1])
    read = np.frombuffer(content, output.dtype, output.size, begin)
    return read.reshape(output.shape)


def _drawn(random: np.random.Generator, made: Made, buffer: tirx.Buffer) -> np.ndarray:
    shape, dtype = [int(extent) for extent in buffer.shape], str(buffer.dtype)
    if dtype == "float32":
        is_picture = buffer.name == "X"  # else scales
        drawn = random.standard_normal(shape) if is_picture else random.uniform(1, 40, shape)
        return drawn.astype(np.float32)
    if dtype == "int8" or buffer.name == "Z":
        return random.integers(LOWEST, HIGHEST + 1, shape).astype(dtype)
    usual = round(_usual_sum(made))
    if buffer.name != "M":
        return random.integers(-usual, usual + 1, shape, np.int32)
    wanted = ((HIGHEST << made.workload.shift) << MULTIPLIER_BITS) / usual
    most = min(LARGEST_MULTIPLIER, _most_multiplier(made, usual))
    return np.clip(wanted * random.uniform(0.1, 1, shape), 1, most).astype(np.int32)


def _extreme(random: np.random.Generator, value: np.ndarray) -> np.ndarray:
    if value.dtype == np.int8:
        return random.choice(np.array([LOWEST, HIGHEST], np.int8), value.shape)
    if value.dtype == np.float32 and value.ndim > 1:  # a picture, or what is converted
        value.flat[random.permutation(value.size)[: len(ODD)]] = ODD[: value.size]
    return value


def _usual_sum(made: Made) -> float:
    """Root mean square of the sums that become int8 in the kernel of `made`."""
    workload = made.workload
    if isinstance(workload, Int8DenseWorkload):
        return math.sqrt(workload.pixels * PRODUCT)
    return math.sqrt(_products(made)) * PRODUCT


def _products(made: Made) -> int:
    workload = made.workload
    taps = math.prod(workload.kernel) if isinstance(workload, Int8WindowWorkload) else 1
    return getattr(workload, "inputs", 1) * taps


def _most_multiplier(made: Made, usual: int) -> float:
    """Of which no sum leaves what the kernel may end in, with a shortcut added (`int8_lanes`)."""
    workload = made.workload
    if not getattr(workload, "narrow", False):
        return math.inf
    room = (1 << 15) - 1 - ((1 << 7) << workload.shift)
    return (room << MULTIPLIER_BITS) / (_products(made) * LARGEST_PRODUCT + usual)
