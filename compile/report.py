"""The build report: what was built, from what, verified where, how fast, as JSON."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tvm.target import codegen

from compile.aot.header_outputs import output_fields
from compile.latency import Latency
from compile.library import Library
from compile.lower import Lowered
from compile.targets import CompileTarget
from compile.verify import Verification

REPORTED_PACKAGES = ("shufflenet-compiled", "apache-tvm", "apache-tvm-ffi", "torch", "ziglang")


def build_report(
    lowered: Lowered,
    verifications: list[Verification],
    latencies: list[Latency],
    library: Library,
    logs: Mapping[str, str],
) -> dict[str, Any]:
    """The JSON beside a library, of which `deploy_rpc` reads `model`, `target`, `threads`,
    `interface`, `library_sha256`.

    `logs` are the tuning logs that it was built from, each with its SHA-256.
    """
    return {
        "model": _model(lowered),
        "target": _target(lowered.target),
        "dtype": lowered.target.dtype,
        "level": lowered.level,
        "threads": lowered.threads,
        "versions": versions(),
        "interface": library.prefix,
        "tuning_logs": dict(logs),
        **_sizes(lowered, library),
        "operators": {
            kind: {"imported": given, "left": left}
            for kind, (given, left) in lowered.operators.items()
        },
        "kernels": [asdict(kernel) | {"workload": kernel.workload} for kernel in lowered.kernels],
        "verification": [
            asdict(row) | {"relative_error": row.relative_error} for row in verifications
        ],
        "latencies": [asdict(row) | {"median": row.median} for row in latencies],
    }


def versions() -> dict[str, str | None]:
    """What took part in a build, by name; None where a package is not installed."""
    return {
        "python": platform.python_version(),
        "llvm": str(codegen.llvm_version_major()),
        **{name: _version(name) for name in REPORTED_PACKAGES},
    }


def _model(lowered: Lowered) -> dict[str, Any]:
    network = lowered.network
    fields = output_fields(network.outputs)
    return {
        "name": network.name,
        "input_shape": list(network.input_shape),
        "outputs": [
            asdict(output) | {"field": field}
            for output, field in zip(network.outputs, fields, strict=True)
        ],
        "preprocessing": network.preprocessing,
        "parameters": network.parameters,
        "macs": lowered.macs,
        "notes": list(network.notes),
        **network.provenance,
    }


def _target(target: CompileTarget) -> dict[str, str]:
    return {
        "name": target.name,
        "core": target.core.name,
        "isa": target.core.isa,
        "triple": target.triple,
        "tvm": str(target.tvm),
    }


def _sizes(lowered: Lowered, library: Library) -> dict[str, Any]:
    """The files, with the digest of the one that ships, and the memory of an instance."""
    return {
        "library_bytes": library.path.stat().st_size,
        "library_sha256": hashlib.sha256(library.path.read_bytes()).hexdigest(),
        "archive_bytes": library.archive.stat().st_size if library.archive else None,
        "weights_bytes": lowered.weights_bytes,
        "workspace_bytes": library.workspace_bytes,
        "activation_bytes": lowered.workspace.bytes,
        "activation_bytes_lower_bound": lowered.workspace.lower_bound,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # ziglang, where another linker links
        return None
