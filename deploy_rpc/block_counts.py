"""How often each basic block of a program runs, counted by our plugin under QEMU.

The region that counts lies between two marker instructions, which see `cycle_model/markers.h`.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deploy_rpc.compiled_once import compiled_once
from deploy_rpc.cores import Core
from deploy_rpc.emulated_program import run_emulated
from deploy_rpc.isa import AARCH64, Code, Isa, isa_called
from deploy_rpc.memory_waits import STORES_IN_FLIGHT
from deploy_rpc.qemu import missing_plugin_host
from model.errors import InputError

PLUGIN_SOURCE = Path(__file__).parent / "cycle_model" / "blocks.c"
PLUGIN_WORDS = (
    *("-std=c11", "-shared", "-fPIC", "-fvisibility=hidden"),
    "-Wl,--allow-shlib-undefined",  # QEMU itself defines the plugin interface
)


class CountError(InputError):
    """A program that ran without a region to count."""


@dataclass(frozen=True)
class Block:
    """Instructions in a row that ran equally often, `executions` times; at most the last jumps.

    All executions together had `split_loads`, of bytes of two lines, and `split_stores`, of bytes
    of two aligned pieces of 32; `line_stores` of those have bytes of two lines. `waiting_loads`
    wait for a store in flight that has only some of their bytes, once for the same stores; 0 where
    they were not asked for.
    """

    address: int
    executions: int
    code: Code
    split_loads: int = 0
    split_stores: int = 0
    line_stores: int = 0
    waiting_loads: int = 0

    @property
    def instructions(self) -> int:
        """Of one execution."""
        return len(self.code)


@dataclass(frozen=True)
class Counts:
    """What ran between the markers, by address, and the simulated caches' misses there."""

    blocks: tuple[Block, ...]
    l1_misses: int
    l2_misses: int


def missing_counting_tools(isa: Isa = AARCH64) -> list[str]:
    """What to install before blocks of `isa` can be counted, a sentence each; maybe nothing."""
    return missing_plugin_host(isa.qemu)


def counting_plugin() -> Path:
    """Our plugin, compiled on first use; raises `CompileError`."""
    return compiled_once(PLUGIN_SOURCE, PLUGIN_WORDS, ".so")


def count_blocks(
    program: Path,
    arguments: Sequence[str],
    core: Core,
    *,
    sysroot: Path | None = None,
    environment: Mapping[str, str] | None = None,
    in_flight: int = 0,
) -> Counts:
    """Runs `program` on an emulated `core`, with `core`'s caches simulated.

    It is a static one, or finds its libraries under `sysroot`; it sees no other variables than
    those of `environment`. Loads that wait are counted where a store is in flight for the next
    `in_flight` instructions. Raises `ProgramError` where the program or QEMU fails, and
    `CountError` where no marked region ended.
    """
    isa = isa_called(core.isa)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "counts"
        options = (f"out={output}", *_plugin_options(core, in_flight))
        plugin = ",".join((str(counting_plugin()), *options))
        root = ("-L", str(sysroot.resolve())) if sysroot else ()
        variables = (f"{name}={value}" for name, value in (environment or {}).items())
        given = (word for variable in variables for word in ("-E", variable))
        run_emulated(program, arguments, core, (*root, *given, "-plugin", plugin))
        if not output.exists():
            raise CountError(f"{program.name} ran no region between {' and '.join(isa.markers)}")
        return _read(output.read_text(encoding="ascii"), isa)


def _plugin_options(core: Core, in_flight: int) -> Iterator[str]:
    yield f"l1_kib={core.l1d_kib}"
    yield f"l1_ways={core.l1d_ways}"
    yield f"l2_kib={core.l2_kib}"
    yield f"l2_ways={core.l2_ways}"
    if in_flight:
        yield f"in_flight={in_flight}"
        yield f"stores={STORES_IN_FLIGHT}"


def _read(text: str, isa: Isa) -> Counts:
    rows: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *values = line.split()
        rows.setdefault(name, []).append(values)
    translated = [
        Block(int(address, 16), int(executions), tuple(map(bytes.fromhex, code.split("."))))
        for address, executions, code in rows["block"]
    ]
    splits = tuple(Counter[int]() for _ in range(4))  # by address, each kind of split
    for address, *counts in rows.get("memory", ()):
        for of_kind, count in zip(splits, counts, strict=True):
            of_kind[int(address, 16)] += int(count)
    blocks = tuple(_with_splits(block, splits) for block in _basic_blocks(translated, isa))
    misses = (int(rows[name][0][0]) for name in ("l1_misses", "l2_misses"))
    return Counts(blocks, *misses)


def _with_splits(block: Block, splits: Sequence[Counter[int]]) -> Block:
    addresses = [address for address, _, _ in _placed(block)]
    loads, stores, lines, waits = (sum(map(of_kind.__getitem__, addresses)) for of_kind in splits)
    return replace(
        block, split_loads=loads, split_stores=stores, line_stores=lines, waiting_loads=waits
    )


def _placed(block: Block) -> Iterator[tuple[int, bytes, int]]:
    """Each instruction's address, bytes and executions."""
    address = block.address
    for instruction in block.code:
        yield address, instruction, block.executions
        address += len(instruction)


def _basic_blocks(translated: Iterable[Block], isa: Isa = AARCH64) -> Iterator[Block]:
    """QEMU's blocks, which overlap and end at page borders, as blocks of the program itself.

    Behind the last instruction of a block there may be the first bytes of one that crosses the
    page's border (x86). QEMU runs that one as the beginning of the next block: here it is dropped.
    """
    executions: dict[int, int] = {}
    instructions: dict[int, bytes] = {}
    placed = [each for block in translated for each in _placed(block)]
    for address, instruction, _ in placed:
        instructions[address] = max(instruction, instructions.get(address, b""), key=len)
    for address, instruction, runs in placed:
        if len(instruction) == len(instructions[address]):
            executions[address] = executions.get(address, 0) + runs
    run: list[int] = []
    for address in sorted(executions):
        if run and not (
            address == run[-1] + len(instructions[run[-1]])
            and executions[address] == executions[run[-1]]
            and not isa.jumps(instructions[run[-1]])
        ):
            yield Block(run[0], executions[run[0]], tuple(instructions[a] for a in run))
            run = []
        run.append(address)
    if run:
        yield Block(run[0], executions[run[0]], tuple(instructions[a] for a in run))
