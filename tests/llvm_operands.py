"""Which registers LLVM's model of N1 takes an AArch64 instruction to read and to write.

It is read where it waits for slow divisions before it, and written where what comes behind it waits
for other values than those of the divisions:

    fdiv v1 ; fmla v0, v1, v2
    fdiv v0 ; fmla v0, v1, v2 ; fadd h31, h0, h0
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from deploy_rpc.block_prices import ANALYSER
from deploy_rpc.isa import AARCH64

COMMAND = (
    *(ANALYSER, f"-mtriple={AARCH64.triple}", "-mcpu=neoverse-n1", "-json", "-iterations=1"),
    *("-timeline", "-timeline-max-cycles=0", "-instruction-info=false"),
)
SOON = 12  # cycles: before any value that two divisions in a row give, after that of a load
DIVIDES = {"x": "sdiv x{0}, x{0}, x{0}", "v": "fdiv v{0}.2d, v{0}.2d, v{0}.2d"}
READS = {"x": "add x26, x{0}, x{0}", "v": "fadd h31, h{0}, h{0}"}  # narrower than all writes


def read_and_written(
    texts: Sequence[str], registers: Sequence[str]
) -> list[tuple[set[str], set[str]]]:
    """Of each of `texts` those of `registers` that it reads, and those that it writes."""
    slow = {each: "\n".join([_about(each, DIVIDES)] * 2) for each in registers}
    then = {each: _about(each, READS) for each in registers}
    cases = [(text, each) for text in texts for each in registers]
    untouched = _ready([f"{slow[each]}\n{then[each]}" for each in registers])
    begins = _ready([f"{slow[each]}\n{text}" for text, each in cases])
    behind = _ready([f"{slow[each]}\n{text}\n{then[each]}" for text, each in cases])
    alone = dict(zip(registers, untouched, strict=True))
    found: dict[str, tuple[set[str], set[str]]] = {text: (set(), set()) for text in texts}
    for (text, each), begin, after in zip(cases, begins, behind, strict=True):
        reads, writes = found[text]
        if begin > SOON:
            reads.add(each)
        if after != alone[each]:
            writes.add(each)
    return list(found.values())


def _about(register: str, instructions: dict[str, str]) -> str:
    return instructions[register[0]].format(register[1:])


def _ready(blocks: Sequence[str]) -> list[int]:
    """The cycle in which the last instruction of each block may begin."""
    marked = "\n".join(
        f"# LLVM-MCA-BEGIN {index}\n{block}\n# LLVM-MCA-END" for index, block in enumerate(blocks)
    )
    out = subprocess.run(COMMAND, input=marked, capture_output=True, text=True, check=True).stdout
    regions = sorted(json.loads(out)["CodeRegions"], key=lambda region: int(region["Name"]))
    return [region["TimelineView"]["TimelineInfo"][-1]["CycleReady"] for region in regions]
