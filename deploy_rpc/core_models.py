"""Which of LLVM's pipeline models stands for a core, and whether it can be believed.

LLVM 19 has models of the Cortex-A53, A55, A57 and A510 and of the Neoverse cores; whatever else it
is asked for (A72, A73, A76, A78, X1), it takes the A57's, of which the A72 is the successor. A
model is offered only where it prices micro-kernels (FMLAs, of float16 and dot products of int8
where the core has them, and loads between them) as plausibly as the core's documents ask.
That refuses the A53, whose loads delay FMLAs that do not use them, and the A55, twice as fast as in
silicon. One that prices loads or stores alone otherwise than published is offered with that doubt,
which goes with its figures. The N1's model dispatches 8 micro-operations a cycle where the core
decodes 4 instructions: code that is all loads and moves is flattered.

Sources: throughput of a 128-bit FMLA as in `cores`; LLVM 19, lib/Target/AArch64/AArch64.td. Loads
and stores of 128 bits (LDR and STR of a Q register, "FP load" and "FP store instructions") from
Arm's Software Optimization Guides: Cortex-A55 (EPM128372), Cortex-A72 (UAN 0016A), Cortex-A76
(PJDOC-466751330-7215: its two load pipelines), Neoverse N1 (109896) and N2 (109914). Of the A53
none is published. Those of the A72 were measured as well (ocxtal/insn_bench_aarch64, LX2160A: 1.00
and 0.49 a cycle), and the N1's loads (the same, Graviton2: 2.00), but of its stores one in three
cycles where guide and LLVM have one a cycle.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

from deploy_rpc.block_prices import price_text
from deploy_rpc.cores import CORES, Core
from deploy_rpc.isa import isa_called
from model.errors import InputError


@dataclass(frozen=True)
class PipelineModel:
    """LLVM's `name` of the model of a core, and the 128-bit loads and stores that the core begins
    a cycle as Arm publishes them, None where that is not known.
    """

    name: str
    loads: float | None
    stores: float | None


# fmt: off
MODELS = {
    "cortex-a53":  PipelineModel("cortex-a53",  None, None),
    "cortex-a55":  PipelineModel("cortex-a55",  0.5,  1),
    "cortex-a72":  PipelineModel("cortex-a72",  1,    0.5),
    "cortex-a76":  PipelineModel("neoverse-n1", 2,    None),  # Arm made the N1 from it
    "neoverse-n1": PipelineModel("neoverse-n1", 2,    1),
    "neoverse-n2": PipelineModel("neoverse-n2", 3,    2),
}
# fmt: on
TOLERANCE = 1.05


class CoreModelError(InputError):
    """No model of a core, or none that can be believed."""


def modelled_cores() -> tuple[str, ...]:
    """The cores of the table that can be modelled; needs llvm-mca."""
    return tuple(core.name for core in CORES if core.name in MODELS and not _faults(core))


def llvm_model(core: Core) -> str:
    """LLVM's name of the model that stands for `core`.

    Raises `CoreModelError` with the reason where there is none, `PriceError` without llvm-mca.
    """
    model = _model_of(core)
    if model is None:
        raise CoreModelError(f"LLVM has no pipeline model of {core.name}; {_offered()}")
    faults = _faults(core)
    if faults:
        raise CoreModelError(
            f"LLVM's pipeline model of {core.name} cannot be believed: "
            f"{'; '.join((*faults, *model_doubts(core)))}; {_offered()}"
        )
    return model


@functools.cache
def model_doubts(core: Core) -> tuple[str, ...]:
    """Where the model of `core` prices loads or stores more than `TOLERANCE` off what is published.

    A clause each; needs llvm-mca.
    """
    model = MODELS.get(core.name)
    if model is None:
        return ()
    isa = isa_called(core.isa)
    kinds = (("loads", isa.vector_loads, model.loads), ("stores", isa.vector_stores, model.stores))
    published = [kind for kind in kinds if kind[2] is not None]
    if not published:
        return ()
    texts = ["\n".join(instructions) for _, instructions, _ in published]
    return tuple(
        f"{len(instructions)} {name} of {core.vector_bits} bits cost {cycles:.1f} cycles there, "
        f"{len(instructions) / a_cycle:g} as published"
        for (name, instructions, a_cycle), cycles in zip(
            published, price_text(texts, model.name, isa), strict=True
        )
        if not _agree(cycles, len(instructions) / a_cycle)
    )


def _model_of(core: Core) -> str | None:
    """LLVM has a model of every x86 that it has a name for."""
    if core.isa == "x86_64":
        return core.llvm_cpu
    return MODELS[core.name].name if core.name in MODELS else None


def _offered() -> str:
    return f"offered: {', '.join(modelled_cores())}"


@functools.cache
def _faults(core: Core) -> tuple[str, ...]:
    """What is implausible in the model of `core`, a clause each."""
    isa = isa_called(core.isa)
    faults = _faults_of(core, isa.multiply_adds)
    if core.half:
        faults += _faults_of(core, isa.half_multiply_adds)
    if core.dot:
        faults += _faults_of(core, isa.dot_products)
    return faults


def _faults_of(core: Core, multiply_adds: tuple[str, ...]) -> tuple[str, ...]:
    """Of these FMAs or dot products of whole vectors, of which a core begins as many a cycle
    whatever is in them, and of loads between them.
    """
    isa = isa_called(core.isa)
    vector_loads = isa.vector_loads
    pairs = zip(multiply_adds, vector_loads, strict=False)
    mixed = [*itertools.chain.from_iterable(pairs), *multiply_adds[len(vector_loads) :]]
    texts = ["\n".join(instructions) for instructions in (multiply_adds, vector_loads, mixed)]
    fmlas, loads, both = price_text(texts, _model_of(core), isa)
    count, name = len(multiply_adds), _name_of(multiply_adds[0])
    expected = count * core.lanes / core.macs_per_cycle
    faults = []
    if not _agree(fmlas, expected):
        faults.append(f"{count} {name} cost {fmlas:.1f} cycles there, {expected:g} in silicon")
    if both > (fmlas + loads) * TOLERANCE:
        faults.append(
            f"{count} {name} with 8 loads between them cost {both:.1f} cycles there, more than one "
            f"after the other ({fmlas + loads:.1f})"
        )
    return tuple(faults)


def _agree(price: float, expected: float) -> bool:
    return expected / TOLERANCE <= price <= expected * TOLERANCE


def _name_of(instruction: str) -> str:
    if instruction.startswith("sdot"):
        return "SDOTs"
    return "FMLAs of float16" if ".8h" in instruction else "FMLAs"
