"""How often each basic block of an ARM program runs, counted by our plugin under QEMU.

The region that counts lies between two marker instructions, which see `cycle_model/blocks.c`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy_rpc.compiled_once import compiled_once
from deploy_rpc.cores import Core
from deploy_rpc.emulator import QEMU, emulated_cores
from model.errors import InputError

PLUGIN_SOURCE = Path(__file__).parent / "cycle_model" / "blocks.c"
PLUGIN_WORDS = (
    *("-std=c11", "-O2", "-s", "-shared", "-fPIC", "-fvisibility=hidden"),
    "-Wl,--allow-shlib-undefined",  # QEMU itself defines the plugin interface
)
RUN_LIMIT_S = 900
WORD_BYTES = 4  # every aarch64 instruction


class CountError(InputError):
    """A program cannot be run and counted here."""


@dataclass(frozen=True)
class Block:
    """Instructions in a row that ran equally often, `executions` times; at most the last jumps."""

    address: int
    executions: int
    code: bytes

    @property
    def instructions(self) -> int:
        """Of one execution."""
        return len(self.code) // WORD_BYTES


@dataclass(frozen=True)
class Counts:
    """What ran between the markers, by address, and the simulated caches' misses there."""

    blocks: tuple[Block, ...]
    l1_misses: int
    l2_misses: int


def missing_counting_tools() -> list[str]:
    """What to install before programs can be counted, a sentence each."""
    if shutil.which(QEMU) is None:
        return [f"{QEMU} is not on the PATH (Debian: apt-get install qemu-user)"]
    return []


def count_blocks(
    program: Path,
    arguments: Sequence[str],
    core: Core,
    *,
    sysroot: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Counts:
    """Runs the aarch64 `program` on an emulated `core`, with `core`'s caches simulated.

    It is a static one, or finds its libraries under `sysroot`; it sees no other variables than
    those of `environment`. Raises `CountError` where the
    program or QEMU fails, or no marked region ended.
    """
    _check_tools(core)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "counts"
        plugin = ",".join((str(_plugin()), f"out={output}", *_caches(core)))
        root = ("-L", str(sysroot.resolve())) if sysroot else ()
        variables = (f"{name}={value}" for name, value in (environment or {}).items())
        given = (word for variable in variables for word in ("-E", variable))
        emulator = (QEMU, "-cpu", core.name, *root, *given, "-plugin", plugin)
        command = [*emulator, f"./{program.name}", *arguments]
        try:
            done = _run(command, program.parent)
        except subprocess.TimeoutExpired as error:
            raise CountError(f"{program.name} did not end within {RUN_LIMIT_S} s") from error
        if done.returncode != 0:
            words = done.stderr.strip() or "it said nothing"
            raise CountError(f"{program.name} ended with {done.returncode} under {QEMU}: {words}")
        if not output.exists():
            raise CountError(f"{program.name} ran no region between hint #0x70 and hint #0x71")
        return _read(output.read_text(encoding="ascii"))


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Without environment and by a relative path: what lies on the stack shifts its addresses."""
    return subprocess.run(
        [shutil.which(command[0]), *command[1:]],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
    )


def _check_tools(core: Core) -> None:
    missing = missing_counting_tools()
    if missing:
        raise CountError(f"no program can be counted here: {'; '.join(missing)}")
    if core.name not in emulated_cores():
        raise CountError(
            f"the installed {QEMU} cannot emulate {core.name}; it knows "
            f"{', '.join(emulated_cores())}"
        )


def _plugin() -> Path:
    return compiled_once(PLUGIN_SOURCE, PLUGIN_WORDS, ".so")


def _caches(core: Core) -> Iterator[str]:
    yield f"l1_kib={core.l1d_kib}"
    yield f"l1_ways={core.l1d_ways}"
    yield f"l2_kib={core.l2_kib}"
    yield f"l2_ways={core.l2_ways}"


def _read(text: str) -> Counts:
    rows = [line.split() for line in text.splitlines()]
    misses = {name: int(value[0]) for name, *value in rows if name != "block"}
    translated = [
        Block(int(row[1], 16), int(row[2]), bytes.fromhex(row[3]))
        for row in rows
        if row[0] == "block"
    ]
    return Counts(tuple(_basic_blocks(translated)), misses["l1_misses"], misses["l2_misses"])


def _basic_blocks(translated: Iterable[Block]) -> Iterator[Block]:
    """QEMU's blocks, which overlap and end at page borders, as blocks of the program itself."""
    executions: dict[int, int] = {}
    words: dict[int, bytes] = {}
    for block in translated:
        for index in range(block.instructions):
            address = block.address + index * WORD_BYTES
            executions[address] = executions.get(address, 0) + block.executions
            words[address] = block.code[index * WORD_BYTES : (index + 1) * WORD_BYTES]
    run: list[int] = []
    for address in sorted(executions):
        if run and not (
            address == run[-1] + WORD_BYTES
            and executions[address] == executions[run[-1]]
            and not _jumps(words[run[-1]])
        ):
            yield Block(run[0], executions[run[0]], b"".join(words[a] for a in run))
            run = []
        run.append(address)
    if run:
        yield Block(run[0], executions[run[0]], b"".join(words[a] for a in run))


def _jumps(code: bytes) -> bool:
    """Whether an instruction is a branch, by the encodings of the Arm ARM, C4.1.66."""
    word = int.from_bytes(code, "little")
    return (
        word & 0x7C000000 == 0x14000000  # B, BL
        or word & 0xFE000000 == 0x54000000  # B.cond
        or word & 0x7C000000 == 0x34000000  # CBZ, CBNZ, TBZ, TBNZ
        or word & 0xFE000000 == 0xD6000000  # BR, BLR, RET
    )
