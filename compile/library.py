"""Lowered modules to shared libraries: LLVM's object, linked for the target or for this machine."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import relax, tirx

from compile.aot.compute import compile_module, exported
from compile.aot.header import Interface, make_interface
from compile.aot.kernels import as_c_kernel
from compile.aot.symbols import PUBLIC
from compile.link import Linker
from compile.lower import Lowered
from compile.targets import CompileTarget

SOURCES = Path(__file__).parent / "aot" / "interface"
C_FLAGS = (
    "-std=c11",
    "-D_DEFAULT_SOURCE",  # POSIX and madvise
    "-O2",
    "-fPIC",
    "-fno-asynchronous-unwind-tables",
    "-g0",  # no folder of this machine in a static library
)
FLOAT_BYTES = 4
TVM_NAMES = ("__tvm_ffi_main", "__TVMFFIErrorSetRaisedFromCStr")


@dataclass(frozen=True)
class Library:
    """What was built: the shared library, and the static one where it was asked for.

    `prefix`, what its C names begin with, and the `workspace_bytes` of an instance are None for a
    library that needs TVM's runtime.
    """

    path: Path
    prefix: str | None = None
    workspace_bytes: int | None = None
    archive: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, the shared library last."""
        header = (self.path.with_suffix(".h"),) if self.prefix else ()
        return (*header, *((self.archive,) if self.archive else ()), self.path)


def build_library(
    lowered: Lowered,
    target: CompileTarget,
    linker: Linker,
    path: Path,
    *,
    static: bool = False,
) -> Library:
    """Compiles `lowered` for `target`, which may differ from the one its schedules were made for.

    Writes the shared library `path`. At level stock it is a TVM module with a Relax VM executable,
    weights inside, whose `main` takes the input and returns the output, or a tuple of outputs. At
    any other level it is a C library, with its header beside it (`.h`), and as a TVM module
    `main(input, output, ...)`; `static` adds the same as `.a`, without TVM's entry.
    """
    if lowered.compute is None:
        executable = relax.build(lowered.module, target=target.tvm, relax_pipeline=None)
        executable.export_library(str(path), fcompile=linker.as_export_function())
        return Library(path)
    interface = make_interface(
        lowered.network, target, lowered.level, lowered.compute, path.name.removesuffix(".so")
    )
    header = path.with_suffix(".h")
    archive = path.with_suffix(".a") if static else None
    with tempfile.TemporaryDirectory(prefix=".objects-", dir=path.parent) as folder:
        objects = _Objects(lowered, target, linker, interface, Path(folder))
        objects.link(path)
        if archive:
            objects.archive(archive)
    header.write_text(interface.header, encoding="utf-8")
    return Library(path, interface.prefix, interface.workspace_bytes, archive)


def build_kernels(
    kernels: Mapping[str, tirx.PrimFunc],
    target: CompileTarget,
    linker: Linker,
    path: Path,
    threads: int = 1,
) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Writes the shared library `path` with each of the scheduled `kernels` under its name.

    Of one thread it is the very C function that a network's library holds: its scratch comes behind
    its buffers, of the float32 shapes that are returned. Of several it shares TVM's own threads.
    """
    named = {name: kernel.with_attr("global_symbol", name) for name, kernel in kernels.items()}
    if threads > 1:
        executable = tvm.compile(tvm.IRModule(named), target=target.tvm)
        executable.export_library(str(path), fcompile=linker.as_export_function())
        return dict.fromkeys(kernels, ())
    made = {name: as_c_kernel(kernel) for name, kernel in kernels.items()}
    inner = {f"{name}_c": exported(kernel.function, f"{name}_c") for name, kernel in made.items()}
    scratch = {
        name: tuple((-(-each.bytes // FLOAT_BYTES),) for each in kernel.scratch)
        for name, kernel in made.items()
    }
    packed = {name: _packed(name, kernel, scratch[name]) for name, kernel in kernels.items()}
    executable = tvm.compile(tvm.IRModule(packed), target=target.tvm)
    with tempfile.TemporaryDirectory() as folder:
        code = str(Path(folder).resolve() / "kernels.o")
        compile_module(tvm.IRModule(inner), target.tvm).write_to_file(code, "o")
        executable.export_library(str(path), fcompile=linker.as_export_function(code))
    return scratch


def _packed(
    name: str, kernel: tirx.PrimFunc, scratch: tuple[tuple[int, ...], ...]
) -> tirx.PrimFunc:
    """The function that TVM calls with tensors, and that calls the C function with their data."""
    shapes = [
        *((tuple(b.shape), b.dtype) for b in kernel.params),
        *((s, "float32") for s in scratch),
    ]
    buffers = [
        tirx.decl_buffer(shape, dtype, name=f"b{i}") for i, (shape, dtype) in enumerate(shapes)
    ]
    data = [tirx.address_of(tirx.BufferLoad(b, [0] * len(b.shape))) for b in buffers]
    body = tirx.Evaluate(tirx.call_extern("int32", f"{name}_c", *data))
    return tirx.PrimFunc(buffers, body).with_attr("global_symbol", name)


class _Objects:
    """The generated code and files of one network in `folder`, ready to be linked with our C."""

    def __init__(
        self,
        lowered: Lowered,
        target: CompileTarget,
        linker: Linker,
        interface: Interface,
        folder: Path,
    ) -> None:
        self._linker = linker
        self._interface = interface
        self._folder = folder
        self._sources = ["instance.c", "weights.c"]
        content = interface.header + interface.internal  # with the digest of the weights
        digest = hashlib.sha256(content.encode()).hexdigest()
        # zig keeps what it made by the words and the names of files: no two builds may share both.
        self._words = (*C_FLAGS, f"-DINTERFACE_{digest}", "-I.", f"-I{SOURCES}")
        if lowered.threads > 1:
            self._sources.append("team.c")
            self._words = (*self._words, "-pthread")
        (folder / "public.h").write_text(interface.header, encoding="utf-8")
        (folder / "network.h").write_text(interface.internal, encoding="utf-8")
        (folder / "weights.bin").write_bytes(lowered.compute.weights)
        self._generated = [str(folder.resolve() / name) for name in ("main.o", "kernels.o")]
        modules = (lowered.compute.main, lowered.compute.kernels)
        for module, name in zip(modules, self._generated, strict=True):
            compile_module(module, target.tvm).write_to_file(name, "o")

    def link(self, path: Path) -> None:
        """The shared library, of which only the interface is visible."""
        visible = [*(f"{self._interface.prefix}_{name}" for name in PUBLIC), *TVM_NAMES]
        script = "{ global: " + " ".join(f"{name};" for name in visible) + " local: *; };\n"
        (self._folder / "visible").write_text(script, encoding="utf-8")
        words = [
            *self._words,
            *(str(SOURCES / source) for source in (*self._sources, "packed.c")),
            "-Wl,--version-script=visible", "-Wl,--gc-sections", f"-Wl,-soname,{path.name}",
        ]  # fmt: skip
        self._linker.link([*words, *self._generated], path.resolve(), folder=self._folder)

    def archive(self, path: Path) -> None:
        """The static library, whose names all begin with the network's."""
        for source in self._sources:
            self._linker.compile([*self._words, str(SOURCES / source)], f"{source}.o", self._folder)
        members = [*self._generated, *(f"{source}.o" for source in self._sources)]
        self._linker.archive(members, path.resolve(), folder=self._folder)
