"""Where a build is verified without a word from the user, or why nowhere."""

from __future__ import annotations

import contextlib

from compile.targets import CompileTarget, runs_here
from deploy_rpc.board_spec import BoardSpec, parse_board
from deploy_rpc.bundle import BundleError, board_bundle
from deploy_rpc.core_models import CoreModelError, llvm_model
from deploy_rpc.emulated_board import board_for
from deploy_rpc.emulator import emulated_cores, missing_emulation_tools
from deploy_rpc.network_cycles import missing_modelled_board_tools


def default_board(target: CompileTarget, threads: int, level: str) -> tuple[BoardSpec | None, str]:
    """Where builds of `target` are verified; None, and the reason, where there is no board."""
    if runs_here(target):
        return parse_board("local"), ""
    if target.core.isa != "aarch64":
        return None, f"there is no emulated board for {target.core.isa}"
    if target.abi != "gnu":
        return None, f"the emulated board's system is of glibc, not {target.abi}"
    missing = missing_emulation_tools()
    if missing:
        return None, "; ".join(missing)
    try:
        board_bundle()
    except BundleError as error:
        return None, str(error)
    known = target.core.name in emulated_cores()
    can_be_modelled = known and threads == 1 and level != "stock"
    if can_be_modelled and not missing_modelled_board_tools():
        with contextlib.suppress(CoreModelError):
            llvm_model(target.core)
            return parse_board(f"modelled:{target.core.name}"), ""
    return board_for(parse_board("emulated"), target.core.name), ""
