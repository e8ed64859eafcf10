"""The agent's hand-shakes and its talk with a tracker, in a process of their own, sanitised."""

from __future__ import annotations

from pathlib import Path

from deploy_rpc.bundle import AGENT_SOURCES
from tests.fuzz.sanitised import FedProgram, compile_sanitised

PROGRAM = Path(__file__).with_name("agent_program.c")
SOURCES = ("handshake.c", "sha256.c", "waiting.c")


def greets(messages: list[bytes]) -> None:
    """Each of `messages` to each of the agent's conversations."""
    for message in messages:
        assert AGENT.feed(message, 1) == b"."


def _make(made: Path) -> None:
    sources = [str(PROGRAM), *(str(AGENT_SOURCES / name) for name in SOURCES)]
    compile_sanitised([f"-I{AGENT_SOURCES}", *sources], made)


AGENT = FedProgram("fuzzed-agent", _make)
