"""An agent that does not come up is an error, and its process is gone."""

from __future__ import annotations

import psutil
import pytest

from deploy_rpc import agent_process as module
from deploy_rpc.agent_process import agent_process
from deploy_rpc.board_spec import BoardError


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("quiet", "words"), [(True, "it said nothing"), (False, "its own words are above")]
)
def test_one_that_closes_its_output_and_lives_on_is_ended(
    monkeypatch: pytest.MonkeyPatch, quiet: bool, words: str
) -> None:
    monkeypatch.setattr(module, "END_LIMIT_S", 0.2)
    before = set(psutil.Process().children())
    with (
        pytest.raises(BoardError, match=f"the agent did not come up: {words}"),
        agent_process(
            ["sh", "-c", "exec >&-; exec sleep 1000"], what="the agent", timeout_s=30, quiet=quiet
        ),
    ):
        pass
    assert set(psutil.Process().children()) == before
