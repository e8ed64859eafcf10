"""What the records of a folder decide for a core.

A record counts for its own core. For another one only where `fallbacks_of` says so, nearest first,
and the source of the kernel then names the core that it is from. A tile that the core's space no
longer holds does not count, nor hides the next best one. Records are of kernels on one thread, and
decide for any number, so that a network answers alike, to the bit, on all of them.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compile.passes.take_decisions import Decision
from compile.schedules.int8_workloads import uncalibrated
from compile.schedules.spaces import space_of
from compile.schedules.templates import TEMPLATES, Made, Workload, made_by_default, template_of
from compile.tuning.log import TuningLog
from compile.tuning.log_cores import core_named, fallbacks_of, log_name
from compile.tuning.log_file import LogError
from compile.tuning.record import Record
from compile.tuning.record_fields import KINDS
from compile.tuning.task import TEMPLATE_VERSIONS
from deploy_rpc.cores import Core, UnknownCoreError
from model.errors import InputError

TUNING_LOGS = Path(__file__).resolve().parents[2] / "tuning_logs"  # those that are shipped
DECIDING_THREADS = 1


class UnusableRecordError(InputError):
    """A record of a template, core or workload that this version does not know."""


@dataclass(frozen=True)
class RecordedDecisions:
    """Decides a workload by the best record for `core` of the first source that has one.

    `ranked` is by source, the core's own name first; `digests` are the SHA-256 of every log that
    was read, CORE/NAME.jsonl, as it was read: a tuner may have written to it since.
    """

    core: Core
    ranked: dict[str, dict[str, list[Record]]]
    digests: dict[str, str]

    def __call__(self, workload: Workload) -> Decision | None:
        """The decision for `workload`; None where no record has one that the core has room for."""
        wanted = key_of(template_of(workload), workload, DECIDING_THREADS)
        if not any(wanted in ranked for ranked in self.ranked.values()):
            return None
        own, space = log_name(self.core), tiles_for(workload, self.core)
        for name, ranked in self.ranked.items():
            for record in ranked.get(wanted, ()):
                if (tile := tile_of(record)) in space:
                    return Decision(tile, "tuned" if name == own else f"tuned for {name}")
        return None


def recorded_decisions(folder: Path, core: Core) -> RecordedDecisions:
    """By workload, the best of the records in `folder` for `core` or its fallbacks.

    Raises `LogError` where there is no such folder or a log in it cannot be read.
    """
    if not folder.is_dir():
        raise LogError(f"expected a folder of tuning logs, found none at {folder}")
    ranked, digests = {}, {}
    for name in (log_name(core), *fallbacks_of(core)):
        logs = {log: TuningLog(log).read() for log in sorted((folder / name).glob("*.jsonl"))}
        ranked[name] = ranked_records(record for log in logs.values() for record in log.records)
        digests |= {f"{name}/{path.name}": log.sha256 for path, log in logs.items()}
    return RecordedDecisions(core, ranked, digests)


def ranked_records(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The right answers for each key, the best one first.

    What won in a network counts before a time measured alone, and that before a modelled one.
    """
    ranked: dict[str, list[Record]] = {}
    for record in records:
        if record.outcome == "ok":
            ranked.setdefault(record.key, []).append(record)
    for of_kernel in ranked.values():
        of_kernel.sort(key=_rank)
    return ranked


def key_of(template: str, workload: Workload, threads: int) -> str:
    """`Record.key` of the records of `workload`."""
    fields = workload_fields(workload)
    unmeasured = Record(
        1, "template", template, 0, fields, threads, {}, "-", "-", "-", "", "modelled", "cycles",
        "does not build", (), {}, {}, "2026-01-01T00:00:00Z",
    )  # fmt: skip
    return unmeasured.key


def workload_fields(workload: Workload) -> dict[str, Any]:
    """`Record.workload`: what is not the default, so that a field that is new changes no key.

    Of int8 without what calibration decides.
    """
    workload = uncalibrated(workload)
    return plain(
        {
            field.name: getattr(workload, field.name)
            for field in dataclasses.fields(workload)
            if getattr(workload, field.name) != field.default
        }
    )


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass as JSON has them: lists for tuples."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}


def tile_of(record: Record) -> Any | None:  # noqa: ANN401 (any template's tile)
    """The decisions of `record`; None where its template has other ones by now.

    One that came to the template since has its default, which is the kernel of before.
    """
    template = record.template
    if record.space != "template" or template not in TEMPLATES:
        return None
    if record.template_version != TEMPLATE_VERSIONS[template]:
        return None
    kind = TEMPLATES[template].tile
    return kind(**record.decisions) if _are_fields_of(kind, record.decisions) else None


def default_of(record: Record) -> tuple[Made, Core]:
    """The workload of `record` with the default tile, and its core; raises `UnusableRecordError`.

    Whether the decisions of `record` are of use is `tile_of`.
    """
    if record.space != "template" or record.template not in TEMPLATES:
        raise UnusableRecordError(f"no template {record.template!r} in space {record.space!r}")
    try:
        core = core_named(record.core)
        workload = TEMPLATES[record.template].workload(
            **{n: tuple(v) if isinstance(v, list) else v for n, v in record.workload.items()}
        )
        default = made_by_default(workload, core, record.threads)
    except (UnknownCoreError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise UnusableRecordError(
            f"not a workload of {record.template} on a known core: {error}"
        ) from error
    if record.key != key_of(default.template, workload, record.threads):
        raise UnusableRecordError(
            f"its workload is one of {default.template}, not of {record.template}"
        )
    return default, core


@functools.lru_cache(maxsize=8)
def tiles_for(workload: Workload, core: Core) -> frozenset[Any]:
    """The decisions that `core` has room for."""
    return frozenset(space_of(workload, core))


def is_usable(record: Record) -> bool:
    """Whether a build for the record's own core would take its decisions, were they the best."""
    try:
        default, core = default_of(record)
    except UnusableRecordError:
        return False
    return record.threads == DECIDING_THREADS and tile_of(record) in tiles_for(
        default.workload, core
    )


def is_default(record: Record) -> bool:
    """Whether `record` is of the tile that its core's table gives."""
    try:
        return tile_of(record) == default_of(record)[0].tile
    except UnusableRecordError:
        return False


def _are_fields_of(kind: type, values: dict[str, Any]) -> bool:
    """Whether the dataclass `kind` can be made of `values`, each of its field's type."""
    fields, types = dataclasses.fields(kind), _types_of(kind)
    needed = {field.name for field in fields if field.default is dataclasses.MISSING}
    return needed <= {*values} <= {*types} and all(
        _is_of_type(value, types[name]) for name, value in values.items()
    )


@functools.cache
def _types_of(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_of_type(value: object, wanted: Any) -> bool:  # noqa: ANN401 (a class, or a Literal)
    """To the letter: true is no whole number."""
    if typing.get_origin(wanted) is typing.Literal:
        return value in typing.get_args(wanted)
    return type(value) is wanted


def _rank(record: Record) -> tuple[int, tuple[float, str]]:
    return KINDS.index(record.kind), record.rank
