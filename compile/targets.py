"""What to compile for: a core of the table, this machine, or a TVM target of the user's own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from tvm.target import Target, codegen

from deploy_rpc.boards import BOARDS, find_board
from deploy_rpc.cores import CORES, Core, Dtype, find_core
from deploy_rpc.host import float_vector_bits, host_core
from deploy_rpc.x86_cores import AVX2_LEVEL, AVX2_LEVEL_ADDS, x86_core
from model.errors import InputError

DEFAULT_ARM_CORE = "cortex-a72"
ABIS = ("gnu", "musl", "android")  # the C library that a program on the board uses
TRIPLES = {
    ("aarch64", "gnu"): "aarch64-linux-gnu",
    ("aarch64", "musl"): "aarch64-linux-musl",
    ("aarch64", "android"): "aarch64-linux-android",
    ("x86_64", "gnu"): "x86_64-linux-gnu",
    ("x86_64", "musl"): "x86_64-linux-musl",
    ("x86_64", "android"): "x86_64-linux-android",
    ("arm", "gnu"): "armv7-linux-gnueabihf",
    ("arm", "musl"): "armv7-linux-musleabihf",
}
ARCHITECTURES = {
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "x86_64": "x86_64",
    "armv7": "arm",
    "armv7l": "arm",
    "armv7a": "arm",
}
CORE_NAMES = tuple(core.name for core in CORES)
BOARD_NAMES = tuple(board.name for board in BOARDS)


class TargetError(InputError):
    """No such target, or one that this compiler does not build for."""


@dataclass(frozen=True)
class CompileTarget:
    """A target of the command line, resolved.

    `name` is what the user asked for, fit for a file name; `core` says what schedules need to know
    of the hardware; `tvm` is the target handed to TVM and LLVM. `dtype` is of weights and
    activations; a network's input and output are float32 in any case.
    """

    name: str
    core: Core
    triple: str
    tvm: Target
    dtype: Dtype = "float32"

    @property
    def is_host(self) -> bool:
        """Whether it describes this very machine."""
        return self.core == host_core() and self.abi == "gnu"

    @property
    def abi(self) -> str:
        """The C library of the triple, one of `ABIS`."""
        return next((abi for abi in ABIS if abi in self.triple.split("-")[-1]), "gnu")


def runs_lowered_here(target: CompileTarget) -> bool:
    """Whether modules lowered for `target` can be built for this machine, too, to verify them.

    Kernels of int8 hold instructions of their own core.
    """
    return target.dtype != "int8" or target.core.isa == host_core().isa


def runs_here(target: CompileTarget) -> bool:
    """Whether this machine is of `target`, or runs its code: that of the AVX2 level if it can.

    Of other cores LLVM does not tell instructions from how they are best chosen.
    """
    if target.is_host:
        return True
    here = host_target().tvm
    is_level = target.core == x86_core(AVX2_LEVEL) and target.abi == "gnu"
    return is_level and all(codegen.target_has_features(name, here) for name in AVX2_LEVEL_ADDS)


def with_abi(target: CompileTarget, abi: str) -> CompileTarget:
    """`target` for boards of another C library; its name says so.

    Raises `TargetError` where there is no such target.
    """
    if abi == target.abi:
        return target
    triple = TRIPLES.get((target.core.isa, abi))
    if triple is None:
        known = ", ".join(a for isa, a in TRIPLES if isa == target.core.isa)
        raise TargetError(f"no {abi} for {target.core.isa}; expected one of {known}")
    config = {**target.tvm.attrs, "kind": "llvm", "mtriple": triple}
    return replace(target, name=f"{target.name}-{abi}", triple=triple, tvm=Target(config))


def with_dtype(target: CompileTarget, dtype: Dtype) -> CompileTarget:
    """`target` for weights and activations of `dtype`; its name says so.

    Raises `TargetError` where the core has no arithmetic on them.
    """
    if dtype == target.dtype:
        return target
    if dtype == "float16" and not target.core.half:
        able = ", ".join(core.name for core in CORES if core.half)
        raise TargetError(
            f"{target.core.name} has no float16 arithmetic (FEAT_FP16); expected one of {able}, or "
            "float32"
        )
    return replace(target, name=f"{target.name}-{dtype}", dtype=dtype)


def parse_target(text: str) -> CompileTarget:
    """Resolves `arm_cpu`, `host`, a core or board of the table, or a TVM target as JSON or tag.

    Raises `TargetError` where the text is none of these.
    """
    if text == "host":
        return host_target()
    if text == "arm_cpu":
        return _target_of_core(text, find_core(DEFAULT_ARM_CORE))
    if text in BOARD_NAMES:
        return _target_of_core(text, find_core(find_board(text).core))
    if text in CORE_NAMES:
        return _target_of_core(text, find_core(text))
    return _target_of_string(text)


def host_target() -> CompileTarget:
    """This machine, as LLVM sees it."""
    core = host_core()
    return CompileTarget(
        name="host",
        core=core,
        triple=codegen.llvm_get_system_triple(),
        tvm=Target({"kind": "llvm", "mcpu": core.llvm_cpu}),
    )


def _target_of_core(name: str, core: Core) -> CompileTarget:
    triple = TRIPLES[core.isa, "gnu"]
    config = {"kind": "llvm", "mtriple": triple, "mcpu": core.llvm_cpu}
    if core.isa == "arm":
        config["mfloat-abi"] = "hard"
    if core.features:
        config["mattr"] = list(core.features)
    return CompileTarget(name=name, core=core, triple=triple, tvm=Target(config))


def _target_of_string(text: str) -> CompileTarget:
    try:
        target = Target(json.loads(text) if text.lstrip().startswith("{") else text)
    except (ValueError, TypeError, RuntimeError) as error:
        raise TargetError(
            f"unknown target {text!r}; expected arm_cpu, host, a core ({', '.join(CORE_NAMES)}), "
            f"a board ({', '.join(BOARD_NAMES)}), or a TVM target of kind llvm as JSON or tag"
        ) from error
    if target.kind.name != "llvm":
        raise TargetError(
            f"target {text!r} is of kind {target.kind.name!r}; only kind llvm (CPU) is built for"
        )
    triple = str(target.attrs.get("mtriple") or codegen.llvm_get_system_triple())
    return CompileTarget(_file_name(text), _core_of_target(target, triple), triple, target)


def _core_of_target(target: Target, triple: str) -> Core:
    cpu = str(target.attrs.get("mcpu") or "")
    architecture = triple.split("-")[0]
    for core in CORES:
        if core.llvm_cpu == cpu and ARCHITECTURES.get(architecture) == core.isa:
            return core
    if architecture not in ARCHITECTURES:
        raise TargetError(
            f"target triple {triple!r} is of no architecture built for; expected one of "
            f"{', '.join(TRIPLES.values())}"
        )
    isa = ARCHITECTURES[architecture]
    bits = float_vector_bits(target)
    known = x86_core(cpu) if isa == "x86_64" else None
    if known and known.vector_bits == bits:  # which "mattr" may have changed
        return known
    registers = 32 if isa == "aarch64" or bits == 512 else 16
    bits = 128 if isa == "arm" else bits  # NEON's, of 16 registers
    units = 2 if isa == "x86_64" else 1  # of multiply-adds: as of this machine's, and the table's
    return Core(cpu or isa, isa, cpu, bits, registers, units * bits // 32, 32, 4, 512, 8)


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip("-")
