"""What serve.py is told has to fit together before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy_rpc.serve_options import parse_options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("agent --with-libc", "name its --bundle FILE.tar.gz"),
        ("agent --bundle b.tar.gz --port 9091", "leave --port away"),
        ("agent --bundle b.tar.gz --tracker here:9190", "leave --tracker away"),
        ("agent --bundle b.tar.gz --user-id 0", "leave --user-id away"),
        ("agent --key rpi4", "name the --tracker HOST:PORT"),
        ("emulated --key rpi4", "name the --tracker HOST:PORT"),
        ("agent --tracker here:9190 --key a\\b", "letters, digits"),
        ("agent --tracker here:9190?key-file=k", "a tracker knows of no key"),
        ("agent --tracker here", "expected HOST:PORT"),
        ("agent --session-limit 604801", "seconds of 1 to 604800"),
        ("agent --user-id 65535", "the number of a user of 0 to 65534"),
        ("agent --port 65536", "a port of 0 to 65535"),
        ("agent --host board.local", "expected an IPv4 address"),
        ("agent --host 0.0.0.0", "--allow-remote and --key-file FILE"),
        ("agent --host 0.0.0.0 --allow-remote", "--allow-remote and --key-file FILE"),
        ("tracker --host 0.0.0.0", "--allow-remote"),
        ("emulated --port 65535 --count 2", "leaves no 2 ports up to 65535"),
    ],
)
def test_what_does_not_fit_leaves_with_two(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parse_options(words.split(" "))
    assert left.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "agent --bundle b.tar.gz --with-libc",
        "agent --tracker [::1]:9190 --key rpi4",
        "emulated --port 65534 --count 2",
        "tracker --host 0.0.0.0 --allow-remote",
        "key board.key",
    ],
)
def test_what_fits_is_taken(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_options(words.split(" ")).kind == words.split(" ", maxsplit=1)[0]
