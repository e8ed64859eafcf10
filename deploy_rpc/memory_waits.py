"""What a block in a loop waits for its own stores, which llvm-mca takes to be free.

llvm-mca lets every load start at once. But a value that was spilled comes back no sooner than its
store has it, and a load of bytes that a store in flight has only some of waits until that store has
left for the cache:

    vmovups %ymm0, 32(%rsp)
    vmovups 32(%rsp), %ymm0    forwarded: STORE_CYCLES after %ymm0 was there, and a load's latency
    vmovups 36(%rsp), %ymm1    blocked: COMMIT_CYCLES after the store retired, and a load's latency

Both are found by following the values of a block that runs over and over: through registers and
through addresses of the same text, dispatch `width` at a time, a reorder buffer of finite size. The
ports, llvm-mca's business, are not looked at. Other addresses are taken to differ, and so are those
of two rounds where another block runs between them, but for the stack's; what another block stored
is taken to have reached the cache.

Measured on Zen 3: 9 cycles from a store of 16 bytes to the load's result, the load's own 8 among
them, and 18 from a store to the result of a load that overlaps half of it. No figures are published
for the ARM cores; the two rules are the same there (Arm's Software Optimization Guides).

Left out: on Zen 3 a spilled sum (load, FMA, store) takes 1.5 cycles where LLVM's model has 1, so
tiles with half as many accumulators again as there are registers are priced a quarter too low.
LLVM 19 has no model of Zen 5; its buffer is as AMD has it, and its blocked loads are counted as the
program runs (`wide_windows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy_rpc.operands import Access, Operation

STORE_CYCLES = 1
COMMIT_CYCLES = 9
# LLVM's but for Zen 5's, of which LLVM has none: that is AMD's
REORDER_BUFFER = {"znver3": 256, "znver4": 320, "znver5": 448, "sapphirerapids": 512}
COMMON_REORDER_BUFFER = 128  # A57, A72, N1
STEPS = 600  # instructions to follow, in at least MIN_ROUNDS of the block
MIN_ROUNDS = 6
STORES_IN_FLIGHT = 64
STACK_POINTER = "sp"


@dataclass(frozen=True)
class Timing:
    """The model's figures of a block: latencies in its order and of a load, and `width`, the
    instructions dispatched a cycle, infinite where dispatch is left out.
    """

    latencies: tuple[int, ...]
    load_latency: int
    width: float


@dataclass(frozen=True)
class Waits:
    """Cycles of one round that the values take at least, blocked loads left away or with them."""

    forwarded: float
    blocked: float

    def mend(self, cycles: float) -> float:
        """llvm-mca's `cycles` of a round with these waits.

        A chain through memory is hidden behind other work like any latency; nothing retires past a
        blocked load, so that comes on top.
        """
        return max(cycles, self.forwarded) + self.blocked - self.forwarded


def has_waits(operations: Sequence[Operation]) -> bool:
    """Whether a load of the block may touch what a store of the block wrote."""
    accesses = [operation.access for operation in operations if operation.access]
    stores = [access for access in accesses if access.stores]
    loads = [access for access in accesses if not access.stores]
    return any(_overlap(store, load) for store in stores for load in loads)


def waits_of(
    operations: Sequence[Operation], timing: Timing, reorder_buffer: int, *, loops: bool
) -> Waits:
    """Of a block that `has_waits`; `loops` where its end jumps to its beginning."""
    forwarded, blocked = (
        Flow(operations, timing, reorder_buffer, loops, blocks).cycles_of_a_round()
        for blocks in (False, True)
    )
    return Waits(forwarded, max(forwarded, blocked))


def reorder_buffer_of(llvm_model: str) -> int:
    """Instructions that a core is modelled to hold at a time."""
    return REORDER_BUFFER.get(llvm_model, COMMON_REORDER_BUFFER)


def _overlap(store: Access, load: Access) -> bool:
    begins, ends = store.offset, store.offset + store.size
    return store.base == load.base and begins < load.offset + load.size and load.offset < ends


def _covers(store: Access, load: Access) -> bool:
    return store.offset <= load.offset and load.offset + load.size <= store.offset + store.size


@dataclass(frozen=True)
class _Store:
    """A store that was followed: when its value was there, and when it retired."""

    access: Access
    version: tuple[int, ...]
    ready: float
    retired: float


class Flow:
    """The values of a block that runs over and over; times are in cycles from its start."""

    def __init__(
        self,
        operations: Sequence[Operation],
        timing: Timing,
        reorder_buffer: int,
        loops: bool,
        blocks: bool,
    ) -> None:
        self._operations = operations
        self._timing = timing
        self._reorder_buffer = reorder_buffer
        self._loops = loops
        self._blocks = blocks
        self._moved = 0  # by other blocks, between rounds
        self._ready: dict[str, float] = {}
        self._written: dict[str, int] = {}
        self._retired: list[float] = []
        self._stores: list[_Store] = []
        self._dispatched = 0.0

    def cycles_of_a_round(self) -> float:
        """The mean of the second half of the rounds."""
        rounds = self._rounds()
        half = rounds // 2
        ends = [self._round() for _ in range(rounds)]
        return (ends[-1] - ends[half - 1]) / (rounds - half)

    def _rounds(self) -> int:
        """To follow."""
        return max(MIN_ROUNDS, STEPS // len(self._operations))

    def _round(self) -> float:
        self._moved = 0 if self._loops else len(self._retired)
        for operation, latency in zip(self._operations, self._timing.latencies, strict=True):
            self._step(operation, latency)
        return self._retired[-1]

    def _step(self, operation: Operation, latency: int) -> None:
        begin = self._dispatch()
        values = self._when(operation.reads, begin)
        access = operation.access
        if access is None:
            done = self._begin(values) + latency
        elif access.stores:
            done = max(values, self._when(access.registers, begin)) + STORE_CYCLES
        else:
            loading = min(latency, self._timing.load_latency)
            loaded = self._loaded(access, self._when(access.registers, begin) + loading, loading)
            done = self._begin(max(loaded, values)) + latency - loading
        self._retire(done)
        if access is not None and access.stores:
            store = _Store(access, self._version(access), values, self._retired[-1])
            self._stores = [*self._stores[1 - STORES_IN_FLIGHT :], store]
        for register in operation.writes:
            self._ready[register] = done
            self._written[register] = len(self._retired)

    def _dispatch(self) -> float:
        self._dispatched += 1 / self._timing.width
        if len(self._retired) >= self._reorder_buffer:
            self._dispatched = max(self._dispatched, self._retired[-self._reorder_buffer])
        return self._dispatched

    def _begin(self, values: float) -> float:
        """When an instruction whose values are there begins: at once."""
        return values

    def _retire(self, done: float) -> None:
        self._retired.append(max(done, self._retired[-1] if self._retired else 0.0))

    def _when(self, registers: frozenset[str], begin: float) -> float:
        return max([begin, *(self._ready.get(register, 0.0) for register in registers)])

    def _version(self, access: Access) -> tuple[int, ...]:
        """Changes when a register of the address is written: the same text, another address."""
        return tuple(
            max(self._written.get(register, 0), 0 if register == STACK_POINTER else self._moved)
            for register in sorted(access.registers)
        )

    def _loaded(self, load: Access, loaded: float, latency: int) -> float:
        """When the value of `load` is there, which without the stores would be `loaded`."""
        version = self._version(load)
        for store in reversed(self._stores):
            if store.version != version or not _overlap(store.access, load):
                continue
            if _covers(store.access, load):
                return max(loaded, store.ready + STORE_CYCLES + latency)
            if self._blocks:
                loaded = max(loaded, store.retired + COMMIT_CYCLES + latency)
        return loaded
