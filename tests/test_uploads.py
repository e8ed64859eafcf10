"""Names of uploads and downloads: plain ones, in the folder of their session."""

from __future__ import annotations

from pathlib import Path

import pytest
from tvm import rpc

from tests.agents import native_agent


@pytest.mark.parametrize(
    "name", ["../escaped", "/tmp/escaped", "..", "", "a/b", "x" * 256, "\0", "../escaped\0"]
)
def test_no_upload_leaves_the_folder_of_its_session(name: str, tmp_path: Path) -> None:
    with native_agent(tmp_path) as agent:
        remote = rpc.connect(agent.address.host, agent.address.port)
        for what, more in (("upload", [bytearray(b"escaped")]), ("download", [])):
            with pytest.raises(Exception, match=r"expected a plain file name"):
                remote.get_function(f"tvm.rpc.server.{what}")(name, *more)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        del remote


def test_of_a_name_with_nul_what_is_before_it_counts(tmp_path: Path) -> None:
    """TVM hands it to the agent up to there."""
    with native_agent(tmp_path) as agent:
        remote = rpc.connect(agent.address.host, agent.address.port)
        remote.upload(bytearray(b"here"), "plain\0/../../escaped")
        (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
        assert (file.name, file.parent.parent) == ("plain", tmp_path)
        del remote
