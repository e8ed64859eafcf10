"""Which registers LLVM's model of N1 takes an AArch64 instruction to read and to write.

It is read where it waits for slow divisions before it, and written where what comes behind it waits
for other values than those of the divisions:

    fdiv v1 ; fmla v0, v1, v2
    fdiv v0 ; fmla v0, v1, v2 ; fadd h31, h0, h0
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable

from deploy_rpc.block_prices import ANALYSER
from deploy_rpc.isa import AARCH64

COMMAND = (
    *(ANALYSER, f"-mtriple={AARCH64.triple}", "-mcpu=neoverse-n1", "-json", "-iterations=1"),
    *("-timeline", "-timeline-max-cycles=0", "-instruction-info=false"),
)
SOON = 12  # cycles: before any value that two divisions in a row give, after that of a load
DIVIDES = {"x": "sdiv x{0}, x{0}, x{0}", "v": "fdiv v{0}.2d, v{0}.2d, v{0}.2d"}
READS = {"x": "add x26, x{0}, x{0}", "v": "fadd h31, h{0}, h{0}"}  # narrower than all writes


def read_and_written(texts: Iterable[str], registers: Iterable[str]) -> list[tuple[set, set]]:
    """Of each of `texts` those of `registers` that it reads, and those that it writes."""
    texts, registers = list(texts), list(registers)
    blocks = {}
    for register in registers:
        kind, number = register[0], register[1:]
        slow = "\n".join([DIVIDES[kind].format(number)] * 2)
        then = READS[kind].format(number)
        blocks["untouched", register] = f"{slow}\n{then}"
        for text in texts:
            blocks[text, register] = f"{slow}\n{text}"
            blocks[text, register, then] = f"{slow}\n{text}\n{then}"
    ready = dict(zip(blocks, _ready(blocks.values()), strict=True))
    found = []
    for text in texts:
        reads = {each for each in registers if ready[text, each] > SOON}
        after = {key[1]: when for key, when in ready.items() if key[0] == text and len(key) == 3}
        writes = {each for each in registers if after[each] != ready["untouched", each]}
        found.append((reads, writes))
    return found


def _ready(blocks: Iterable[str]) -> list[int]:
    """The cycle in which the last instruction of each block may begin."""
    marked = "\n".join(
        f"# LLVM-MCA-BEGIN {index}\n{block}\n# LLVM-MCA-END" for index, block in enumerate(blocks)
    )
    out = subprocess.run(COMMAND, input=marked, capture_output=True, text=True, check=True).stdout
    regions = sorted(json.loads(out)["CodeRegions"], key=lambda region: int(region["Name"]))
    return [region["TimelineView"]["TimelineInfo"][-1]["CycleReady"] for region in regions]
