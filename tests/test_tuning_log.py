"""Nothing but a record is read from a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.tuning.log import TuningLog
from compile.tuning.log_file import LogError
from compile.tuning.record import record_line
from tests.tuning_records import record


def test_a_bad_line_in_between_is_an_error_that_names_it(tmp_path: Path) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    log.path.write_text(record_line(record(0)) + "\nnonsense\n" + record_line(record(1)) + "\n")
    with pytest.raises(LogError, match="2"):
        log.read()
    assert len(log.read(skip_bad=True).records) == 2
