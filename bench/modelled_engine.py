"""One engine on the modelled board: three inferences, the last of them between the markers.

    python modelled_engine.py ENGINE MODEL INPUT.npy OUTPUT.npy OUTPUTS MARK.so DTYPE

Runs in Python for aarch64 under QEMU, beside `engine_loaders.py`, with NumPy and the engine alone.
"""

from __future__ import annotations

import ctypes
import sys

import numpy as np
from engine_loaders import loader

WARM_UPS = 2


def main() -> None:
    """Runs, and writes the output of the last inference."""
    engine, model, input_path, output_path, outputs, mark_path, dtype = sys.argv[1:]
    x = np.load(input_path)
    run = loader(engine, dtype)(model, 1)
    mark = ctypes.CDLL(mark_path)
    for _ in range(WARM_UPS):
        run(x, int(outputs))
    mark.mark_begin()
    y = run(x, int(outputs))
    mark.mark_end()
    np.save(output_path, y)


if __name__ == "__main__":
    main()
