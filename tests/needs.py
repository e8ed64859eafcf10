"""What tests need of the machine: they skip by its name, and in CI a skip is a failure."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from deploy_rpc.cycles import missing_modelling_tools
from deploy_rpc.emulator import missing_emulation_tools
from deploy_rpc.network_cycles import missing_modelled_board_tools


def skip_for(missing: Sequence[str]) -> pytest.MarkDecorator:
    """The mark of a test that cannot run where anything is `missing`, each said in a sentence."""
    return pytest.mark.skipif(bool(missing), reason="; ".join(missing) or "all there")


needs_qemu = skip_for(missing_emulation_tools())
needs_cycle_model = skip_for(missing_modelling_tools())
needs_modelled_board = skip_for(missing_modelled_board_tools())
