"""Fixtures that many tests share, and the rule that in CI a skipped test is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

TEST_DATA = "SHUFFLENET_TEST_DATA"
# Each thread that runs a kernel of several threads has a pool of TVM's, which waits in a loop that
# yields 300,000 times: with a session a test, a third of a core's time of the whole run.
os.environ.setdefault("TVM_THREAD_POOL_SPIN_COUNT", "0")
# There are as many workers of pytest-xdist as cores, or more: a PyTorch of threads only waits.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the kept TIR of the templates anew (tests/test_golden.py)."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: tests of boards and of time limits mostly wait."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """The same weights wherever a test draws them, its fixtures included, whatever ran before."""
    import torch  # reads the environment above

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with the trained checkpoint and its 200 labelled pictures."""
    folder = os.environ.get(TEST_DATA)
    if not folder:
        pytest.skip(f"{TEST_DATA} names no folder: the trained checkpoint is not at hand")
    return Path(folder)


@pytest.fixture(scope="session")
def checkpoint(test_data: Path) -> Path:
    """The official ShuffleNet 0.5x g3."""
    return test_data / "shufflenet_v1_0.5x_g3.pth.tar"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with a shared key of this test's own."""
    from deploy_rpc.shared_key import write_key

    write_key(tmp_path / "board.key")
    return tmp_path / "board.key"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skip into a failure where CI is set: there, everything must run."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything must run: {reason}"
    return report


@pytest.fixture
def kernels_made_anew() -> Generator[None, None, None]:
    """For tests that change how a template makes a kernel: none is remembered, before or after."""
    from compile.schedules.templates import _kernel_of

    _kernel_of.cache_clear()
    yield
    _kernel_of.cache_clear()
