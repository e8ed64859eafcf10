"""A built library's modelled cycles and its answer, for as many threads as it was built for.

Of one thread the very file is priced, an inference as a whole. Of several it answers on the
emulated core, and its kernels are priced: threads under QEMU do not keep step as real ones do.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compile.lower import Lowered
from compile.price_network import NetworkPrice, price_network
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport
from deploy_rpc.network_cycles import NetworkFile, check_library, network_cycles
from deploy_rpc.session import open_session

TIMEOUT_S = 300  # longest wait for one answer


def price_library(
    lowered: Lowered, path: Path, core: Core, price: NetworkPrice | None = None
) -> tuple[CycleReport, list[np.ndarray]]:
    """What one inference of the library `path`, built from `lowered`, costs on `core`; its outputs.

    The input is the network's example. `price` is that of `lowered` where it is known already: of
    several threads it is the answer. Raises `BoardError` as `network_cycles` does.
    """
    prefix = lowered.compute.prefix if lowered.compute else None
    network = lowered.network
    file = NetworkFile(path, prefix, network.output_shapes, lowered.threads)
    if lowered.threads == 1:
        return network_cycles(file, network.example_input(), core)
    check_library(file)
    outputs = _emulated_outputs(lowered, path, core)
    return (price or price_network(lowered, core)).whole, outputs


def _emulated_outputs(lowered: Lowered, path: Path, core: Core) -> list[np.ndarray]:
    network, board = lowered.network, BoardSpec("modelled", core=core.name)
    with open_session(board, timeout_s=TIMEOUT_S) as session:
        module = session.load(path, output_shapes=network.output_shapes, threads=lowered.threads)
        return module.run_all(network.example_input())
