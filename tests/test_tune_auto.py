"""tune.py --space auto: every trial in a log of its own, and --resume goes on from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compile.tune import main
from compile.tuning.auto_search import BATCH
from compile.tuning.log import TuningLog
from tests.auto_searches import shorten
from tests.needs import needs_cycle_model
from tests.small_networks import small_network
from tests.test_auto_task import Sines


@needs_cycle_model
def test_each_kernel_is_searched_and_compared_and_a_later_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shorten(monkeypatch)
    monkeypatch.setattr(
        "compile.tune_auto.import_network", lambda options: small_network(Sines(), side=8)
    )
    words = ["--target", "cortex-a72", "--space", "auto", "--tuning-logs", str(tmp_path)]
    main([*words, "--trials", "1", "--workers", "1", "--json", str(tmp_path / "report.json")])
    log = TuningLog(tmp_path / "cortex-a72" / "auto" / "shufflenet-1.0x-g3.jsonl")
    records = log.read().records
    assert {record.space for record in records} == {"auto"}
    convolution, sine = json.loads((tmp_path / "report.json").read_text())["kernels"]
    assert convolution["template_default"] > 0
    assert sine["template_default"] is None
    assert convolution["trials"] == BATCH
    assert convolution["best"] <= convolution["plain"]
    main([*words, "--trials", "1", "--workers", "1", "--resume"])
    assert f"resumed: {len(records)} trials from the log" in capsys.readouterr().out
    assert len(log.read().records) > len(records)
    assert not list((tmp_path / "cortex-a72").glob("*.jsonl"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--board", "rpc://b:9"], "--space auto: expected --board modelled[:CORE], got rpc://b:9"),
        (["--dtype", "float16"], "--space auto: expected --dtype float32, got float16"),
    ],
)
def test_what_the_space_is_not_searched_for_is_a_usage_error(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--target", "neoverse-n1", "--space", "auto", *words])
    assert error.value.code == 2
    assert expected in capsys.readouterr().err
