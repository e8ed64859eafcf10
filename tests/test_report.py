"""A build report is of what took part in the build."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from compile import report


def test_a_package_that_is_not_installed_is_reported_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another linker than zig needs no ziglang."""

    def version(package: str) -> str:
        if package == "ziglang":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(report, "version", version)
    found = report.versions()
    assert (found["ziglang"], found["torch"]) == (None, "1.0")
