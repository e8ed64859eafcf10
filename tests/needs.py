"""What tests need of the machine: they skip by its name, and in CI a skip is a failure."""

from __future__ import annotations

import pytest

from deploy_rpc.emulator import missing_emulation_tools

needs_qemu = pytest.mark.skipif(
    bool(missing_emulation_tools()), reason="; ".join(missing_emulation_tools()) or "all there"
)
