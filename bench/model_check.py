"""Whether the cycle model is true, where truth can be measured: on this x86 machine.

Many schedules of each template, and of MetaSchedule's own space (`model_check_cases`), are compiled
for AVX2 (QEMU 7.2 has no AVX-512) and linked as static programs. The model prices each program as
it prices those of ARM cores: blocks counted under QEMU times llvm-mca's price of them. The same
program, the same object code at the same addresses, then times itself on this machine, in turns
with all others, on one core; its time is that of its fastest batch of calls in all rounds. What a
user of the model relies on is in the row of a kernel:

    correlation     Spearman's, of modelled cycles and measured times; 1 is the same order
    pick_slowdown   measured time of the schedule that the model likes best, to that of the best
    relative_error  median of |modelled - measured| / measured, after one factor for all templates

The pipeline model is that of this machine's core, chosen by what the core is and not by how it
fares here: LLVM's name for the host, unless a flag says that the core is newer. A virtual machine
may show another model number; AVX512-FP16 came with Golden Cove, Sapphire Rapids' core.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from bench.context import CPUINFO
from bench.limited import run_limited
from bench.model_check_cases import Case
from bench.rows import ENGINE, Row, report_row
from compile.price_kernel import kernel_program
from compile.targets import CompileTarget, parse_target
from deploy_rpc.affinity import pinned_to_cores
from deploy_rpc.core_models import llvm_model
from deploy_rpc.cores import Core
from deploy_rpc.cycles import missing_modelling_tools, modelled_cycles
from deploy_rpc.host import host_core
from deploy_rpc.isa import X86_64
from model.cli import phase
from model.errors import InputError

SUITE = "model-check"
ROUNDS = 15
SAMPLE_NS = 4_000_000
RUN_LIMIT_S = 60
EMULATED_CPU = "Haswell"  # QEMU's name of the first core with AVX2 and FMA
COMPILED_FOR = '{"kind": "llvm", "mcpu": "haswell"}'  # the same
NEEDED_FLAGS = {"avx2", "fma", "bmi2"}
NEWER_CORES = (("avx512_fp16", "sapphirerapids"),)  # LLVM's name by the kernel's flag


class ModelCheckError(InputError):
    """The model cannot be checked on this machine."""


@dataclass(frozen=True)
class Pair:
    """One schedule: what the model says of a call, and its nanoseconds in each round."""

    decisions: dict[str, Any]
    modelled_cycles: float
    coverage: float
    samples_ns: tuple[float, ...]

    @property
    def measured_ns(self) -> float:
        """The fastest round: what else runs on the machine only adds."""
        return min(self.samples_ns)


@dataclass(frozen=True)
class _Built:
    """A schedule's program, with the command that times it and its price."""

    decisions: dict[str, Any]
    command: tuple[str, ...]
    modelled_cycles: float
    coverage: float


def check_model(cases: Sequence[Case], rounds: int = ROUNDS) -> list[Row]:
    """A row for each of `cases`. Raises `ModelCheckError` where this machine is not fit for it."""
    check_machine()
    core = pipeline_core()
    target = dataclasses.replace(parse_target(COMPILED_FOR), core=core)
    with tempfile.TemporaryDirectory() as folder:
        built = []
        for number, case in enumerate(cases):
            with phase(f"build and model {len(case.schedules)} schedules of {case.name}"):
                built += list(_built(case, target, Path(folder) / str(number)))
        with phase(f"time {len(built)} programs in {rounds} rounds"):
            pairs = iter(_timed(built, rounds))
    return model_check_rows(
        [(case, list(itertools.islice(pairs, len(case.schedules)))) for case in cases], target
    )


def check_machine() -> None:
    """Raises `ModelCheckError` with what this machine lacks."""
    missing = missing_modelling_tools(X86_64)
    if host_core().isa != "x86_64" or not _flags() >= NEEDED_FLAGS:
        missing.append("the machine is no x86-64 with AVX2, so the programs do not run on it")
    if missing:
        raise ModelCheckError(f"the model cannot be checked here: {'; '.join(missing)}")


def pipeline_core() -> Core:
    """This machine's core with AVX2 alone, under QEMU's name; `llvm_cpu` is the pipeline model."""
    host = host_core()
    newer = (cpu for flag, cpu in NEWER_CORES if flag in _flags())
    return dataclasses.replace(
        host,
        name=EMULATED_CPU,
        llvm_cpu=next(newer, host.llvm_cpu),
        vector_bits=256,
        vector_registers=16,
        macs_per_cycle=16,
    )


def model_check_rows(pairs: Sequence[tuple[Case, list[Pair]]], target: CompileTarget) -> list[Row]:
    """What `pairs` come to; the factor from cycles to nanoseconds is the median of all of them."""
    every = [pair for _, of_case in pairs for pair in of_case]
    ns_per_cycle = statistics.median(pair.measured_ns / pair.modelled_cycles for pair in every)
    return [_row(case, of_case, target, ns_per_cycle) for case, of_case in pairs]


def rank_correlation(modelled: Sequence[float], measured: Sequence[float]) -> float:
    """Spearman's; ties take their mean rank."""
    return float(spearmanr(modelled, measured).statistic)


def pick_slowdown(modelled: Sequence[float], measured: Sequence[float]) -> float:
    """The measurement of what has the least modelled cycles, to the least measurement."""
    picked = min(range(len(modelled)), key=modelled.__getitem__)
    return measured[picked] / min(measured)


def relative_error(
    modelled: Sequence[float], measured: Sequence[float], ns_per_cycle: float
) -> float:
    """The median over all pairs, to the measurements."""
    pairs = zip(modelled, measured, strict=True)
    return statistics.median(abs(cycles * ns_per_cycle - ns) / ns for cycles, ns in pairs)


def _flags() -> set[str]:
    """Of the processor, by the kernel's names."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def _built(case: Case, target: CompileTarget, folder: Path) -> Iterator[_Built]:
    """Every schedule of `case`; the programs stay in `folder`."""
    folder.mkdir()
    for number, schedule in enumerate(case.schedules):
        program = folder / f"kernel{number}"
        arguments = kernel_program(schedule.make(), target, program)
        report = modelled_cycles(program, arguments, target.core)
        command = (str(program), "time", str(SAMPLE_NS), *arguments)
        yield _Built(schedule.decisions, command, report.cycles, report.coverage)


def _timed(built: Sequence[_Built], rounds: int) -> list[Pair]:
    """All of them in turns, so that noise falls on all alike, on one core."""
    with pinned_to_cores(1):
        table = [[_time_ns(each.command) for each in built] for _ in range(rounds)]
    return [
        Pair(each.decisions, each.modelled_cycles, each.coverage, samples)
        for each, samples in zip(built, zip(*table, strict=True), strict=True)
    ]


def _time_ns(command: Sequence[str]) -> float:
    done = run_limited(ENGINE, command, RUN_LIMIT_S)
    if done.returncode != 0:
        raise ModelCheckError(
            f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}"
        )
    return float(done.stdout)


def _row(case: Case, pairs: Sequence[Pair], target: CompileTarget, ns_per_cycle: float) -> Row:
    modelled = [pair.modelled_cycles for pair in pairs]
    measured = [pair.measured_ns for pair in pairs]
    correlation = rank_correlation(modelled, measured)
    return report_row(
        SUITE,
        target,
        network=None,
        engine=ENGINE,
        level=None,
        threads=1,
        kind="measured",
        unit="rank correlation",
        samples=[correlation],
        kernel=case.name,
        workload=case.workload,
        compiled_for="haswell",
        llvm_model=llvm_model(target.core),
        correlation=correlation,
        pick_slowdown=pick_slowdown(modelled, measured),
        relative_error=relative_error(modelled, measured, ns_per_cycle),
        ns_per_cycle=ns_per_cycle,
        slowest_to_fastest=max(measured) / min(measured),
        schedules=[{**dataclasses.asdict(pair), "measured_ns": pair.measured_ns} for pair in pairs],
    )
