"""Records of MetaSchedule's own space: the unscheduled kernel itself, and the trace of a schedule.

They lie in a folder of their own beside the logs of our templates, `CORE/auto/NAME.jsonl`, which
no build reads. The kernel is TVM's JSON, compressed, so that a record can be replayed by itself.
"""

from __future__ import annotations

import base64
import binascii
import zlib

import tvm
from tvm import tirx

from compile.tuning.auto_candidate import error_of_schedule, scheduled_by
from compile.tuning.auto_search import AutoTrial
from compile.tuning.candidate import BUILD_ERRORS, MOST_ERROR, Examined, wrong_answer
from compile.tuning.record import Record
from compile.tuning.trial import Where, record_of_now

SPACE = "auto"
TEMPLATE = "MetaSchedule"
MOST_BYTES = 10_000_000  # of a kernel's JSON, which is 26 KB for a convolution


def auto_record(plain: tirx.PrimFunc, trial: AutoTrial, where: Where) -> Record:
    """The record, of now, of a `trial` of the unscheduled `plain`."""
    return record_of_now(
        trial.examined,
        where,
        space=SPACE,
        template=TEMPLATE,
        template_version=1,
        workload={"kernel": kernel_text(plain)},
        threads=1,
        decisions={"trace": trial.trace},
        kind="modelled",
        unit="cycles",
    )


def trial_of(record: Record) -> AutoTrial:
    """The trial that `record` tells of."""
    examined = Examined(record.outcome, record.samples, record.counters)
    return AutoTrial(record.decisions["trace"], examined)


def kernel_text(plain: tirx.PrimFunc) -> str:
    """`plain` as `Record.workload` has it; the same for the same kernel."""
    return base64.b64encode(zlib.compress(_json(plain).encode("utf-8"), 9)).decode("ascii")


def fault_of_auto(record: Record) -> str | None:
    """Why the schedule of `record` cannot be made again, or is wrong; None where all is well."""
    if record.outcome != "ok":
        return None
    try:
        plain = _kernel_of(record)
        scheduled = scheduled_by(plain, record.decisions["trace"])
        error = error_of_schedule(scheduled.mod["main"], _json(plain))
    except (*BUILD_ERRORS, KeyError, binascii.Error, zlib.error) as failure:
        return f"not a schedule of a kernel: {str(failure).partition(chr(10))[0]}"
    return None if error <= MOST_ERROR else f"wrong answer: {wrong_answer(error).reason}"


def _kernel_of(record: Record) -> tirx.PrimFunc:
    compressed = base64.b64decode(record.workload["kernel"], validate=True)
    text = zlib.decompressobj().decompress(compressed, MOST_BYTES)
    return tvm.ir.load_json(text.decode("utf-8"))["main"]


def _json(plain: tirx.PrimFunc) -> str:
    return tvm.ir.save_json(tvm.IRModule({"main": plain}))
