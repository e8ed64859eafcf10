"""Times an ONNX file in a plain session loop of ONNX Runtime, with nothing of the bench around.

    taskset -c 1 python bench/own_loop_onnxruntime.py NETWORK.onnx INPUT.npy SECONDS

After a tenth of SECONDS that does not count, prints the mean milliseconds of the runs that follow.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import onnxruntime


def main() -> None:
    """A session of one thread, run in a loop."""
    model, input_path, seconds = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    feeds = {session.get_inputs()[0].name: np.load(input_path)}
    mean_s(session, feeds, float(seconds) / 10)
    print(1e3 * mean_s(session, feeds, float(seconds)))


def mean_s(
    session: onnxruntime.InferenceSession, feeds: dict[str, np.ndarray], seconds: float
) -> float:
    """Mean seconds of the runs that fit into `seconds`, one at least."""
    begin = end = time.perf_counter()
    runs = 0
    while runs == 0 or end - begin < seconds:
        session.run(None, feeds)
        runs += 1
        end = time.perf_counter()
    return (end - begin) / runs


if __name__ == "__main__":
    main()
