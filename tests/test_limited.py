"""A program that hangs is an error that says what to do, and no traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import light_models
from bench.light_models import LightModelError
from bench.limited import EngineError, run_limited

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_what_a_program_says_comes_back() -> None:
    done = run_limited("mnn", [sys.executable, "-c", "print(3)"], 60)
    assert (done.returncode, done.stdout) == (0, "3\n")


def test_a_program_that_hangs_is_ended_and_named_with_its_command() -> None:
    with pytest.raises(EngineError, match=r"mnn did not end within 0\.2 s.*by hand: .*sleep\(60\)"):
        run_limited("mnn", SLEEP, 0.2)


def test_a_build_of_a_light_model_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(light_models, "LIMIT_S", 0.2)
    with pytest.raises(LightModelError, match=r"killed, behind 0\.2 s .* try it by hand: .*sleep"):
        light_models._run_measured(SLEEP, tmp_path)
