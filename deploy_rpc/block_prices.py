"""What a block of instructions costs on a core, by llvm-mca's model of its pipeline.

A price is the mean over `ITERATIONS` executions back to back, all loads hitting the L1, as in a
loop, with what the block waits for its own stores (`memory_waits`). The same LLVM gives the same
price on any machine; another release may not, so only LLVM 19 is taken.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deploy_rpc.isa import AARCH64, Code, Isa
from deploy_rpc.memory_waits import Timing, Waits, has_waits, reorder_buffer_of, waits_of
from deploy_rpc.operands import OPERATIONS
from model.errors import InputError

DISASSEMBLER, ANALYSER = "llvm-mc-19", "llvm-mca-19"
ITERATIONS = 100
LIMIT_S = 120
SHOWN = 80  # characters of what is no report


class PriceError(InputError):
    """Blocks cannot be priced here."""


@dataclass(frozen=True)
class Price:
    """`cycles` of one execution; `priced` is how many of its instructions the model knows."""

    cycles: float
    priced: int
    disassembly: tuple[str, ...]


def missing_pricing_tools() -> list[str]:
    """What to install before blocks can be priced, a sentence each."""
    return [
        f"{tool} is not on the PATH (Debian: apt-get install llvm-19)"
        for tool in (DISASSEMBLER, ANALYSER)
        if shutil.which(tool) is None
    ]


def price_blocks(blocks: Iterable[Code], llvm_cpu: str, isa: Isa = AARCH64) -> dict[Code, Price]:
    """The price of each of `blocks` on LLVM's model of `llvm_cpu`, a CPU of `isa`.

    One run of llvm-mca for all that this program has not priced before. Raises `PriceError`.
    """
    known = _prices_of(llvm_cpu)
    wanted = list(dict.fromkeys(blocks))
    new = [code for code in wanted if code not in known]
    if new:
        known.update(zip(new, _price(new, llvm_cpu, isa), strict=True))
    return {code: known[code] for code in wanted}


def disassembled(blocks: Sequence[Code], isa: Isa) -> list[tuple[str, ...]]:
    """Each block's instructions as text; what LLVM does not know is left away.

    Raises `PriceError`.
    """
    words = list(dict.fromkeys(word for code in blocks for word in code))
    source = "\n".join(" ".join(f"0x{byte:02x}" for byte in word) for word in words)
    command = [DISASSEMBLER, f"-triple={isa.triple}", "--disassemble", *isa.disassembler_words]
    out, complaints = _run(command, source)
    unknown = {int(row) - 1 for row in re.findall(r"<stdin>:(\d+):\d+: warning", complaints)}
    known = [word for index, word in enumerate(words) if index not in unknown]
    lines = [" ".join(line.split()) for line in out.splitlines() if line.strip()]
    listing = [line for line in lines if not line.startswith(".")]
    text = dict(zip(known, listing, strict=True))
    return [tuple(text[word] for word in code if word in text) for code in blocks]


def price_text(texts: Sequence[str], llvm_cpu: str, isa: Isa = AARCH64) -> list[float]:
    """Cycles of one execution of each block of assembly."""
    return [cycles for cycles, _ in _analyse(texts, llvm_cpu, isa)]


@functools.cache
def _prices_of(llvm_cpu: str) -> dict[Code, Price]:
    """This program's prices on one model so far."""
    return {}


def _price(blocks: Sequence[Code], llvm_cpu: str, isa: Isa) -> list[Price]:
    listings = disassembled(blocks, isa)
    costs = _analyse(["\n".join(listing) for listing in listings], llvm_cpu, isa)
    waits = _waits(dict(zip(blocks, listings, strict=True)), llvm_cpu, isa)
    return [
        Price(waits[code].mend(cycles) if code in waits else cycles, priced, listing)
        for code, listing, (cycles, priced) in zip(blocks, listings, costs, strict=True)
    ]


def _waits(listings: dict[Code, tuple[str, ...]], llvm_cpu: str, isa: Isa) -> dict[Code, Waits]:
    """Of the blocks that wait for their own stores, where the model knows every instruction."""
    read = OPERATIONS[isa.name]
    operations = {
        code: [read(line) for line in each] for code, each in listings.items() if _stores(each, isa)
    }
    waiting = [code for code, of_it in operations.items() if has_waits(of_it)]
    if not waiting:
        return {}
    texts = [isa.vector_loads[:1], *(listings[code] for code in waiting)]
    ((load_latency,), width), *timings = _timings(texts, llvm_cpu, isa)
    buffer = reorder_buffer_of(llvm_cpu)
    return {
        code: waits_of(
            operations[code],
            Timing(latencies, load_latency, width),
            buffer,
            loops=isa.loops(code, listings[code][-1]),
        )
        for code, (latencies, _) in zip(waiting, timings, strict=True)
        if len(latencies) == len(operations[code])
    }


def _stores(listing: tuple[str, ...], isa: Isa) -> bool:
    return any(isa.stores.match(line) for line in listing)


def _timings(
    listings: Sequence[tuple[str, ...]], llvm_cpu: str, isa: Isa
) -> list[tuple[tuple[int, ...], int]]:
    """Each instruction's latency, and instructions dispatched a cycle, of each listing."""
    options = ("-iterations=1", "-instruction-info=true")
    regions = regions_of(["\n".join(listing) for listing in listings], llvm_cpu, isa, options)
    found = {int(region["Name"]): region for region in regions}
    timings = []
    for index in range(len(listings)):
        region = found[index]
        infos = region["InstructionInfoView"]["InstructionList"]
        latencies = tuple(info["Latency"] for info in infos)
        timings.append((latencies, region["SummaryView"]["DispatchWidth"]))
    return timings


def _analyse(texts: Sequence[str], llvm_cpu: str, isa: Isa) -> list[tuple[float, int]]:
    """Cycles, and instructions that the model knows, of one execution of each text."""
    options = (f"-iterations={ITERATIONS}", "-instruction-info=false")
    found = regions_of(texts, llvm_cpu, isa, options)
    regions = {int(region["Name"]): region["SummaryView"] for region in found}
    nothing = {"TotalCycles": 0, "Instructions": 0}
    summaries = [regions.get(index, nothing) for index in range(len(texts))]
    return [
        (summary["TotalCycles"] / ITERATIONS, summary["Instructions"] // ITERATIONS)
        for summary in summaries
    ]


def regions_of(texts: Sequence[str], llvm_cpu: str, isa: Isa, options: Sequence[str]) -> list[dict]:
    """llvm-mca's report of each text, by its index as name; none of a text without instructions."""
    source = "\n".join(
        f"# LLVM-MCA-BEGIN {index}\n{text}\n# LLVM-MCA-END" for index, text in enumerate(texts)
    )
    command = [
        *(ANALYSER, f"-mtriple={isa.triple}", f"-mcpu={llvm_cpu}", *options),
        *("-json", "-resource-pressure=false", "-skip-unsupported-instructions=any"),
    ]
    out, _ = _run(command, source)
    try:
        return json.loads(out)["CodeRegions"] if out.strip() else []
    except (ValueError, LookupError, TypeError) as error:
        raise PriceError(f"{ANALYSER} gave no report: {out.strip()[:SHOWN]!r}") from error


def _run(command: list[str], source: str) -> tuple[str, str]:
    missing = missing_pricing_tools()
    if missing:
        raise PriceError(f"no block can be priced here: {'; '.join(missing)}")
    try:
        done = subprocess.run(
            command, input=source, capture_output=True, text=True, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise PriceError(f"{command[0]} did not end within {LIMIT_S} s") from error
    except OSError as error:
        raise PriceError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise PriceError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout, done.stderr
