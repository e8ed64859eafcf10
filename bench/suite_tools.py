"""Which suites this machine has no tools for, known before they run."""

from __future__ import annotations

from bench.engines import missing_engines
from bench.independent import PEER
from bench.model_check import ModelCheckError, check_machine
from deploy_rpc.network_cycles import missing_modelled_board_tools
from model.digits.pictures import DigitsError, digits_folder


def not_measurable() -> dict[str, str]:
    """The suites that have no tools here, each with what is missing."""
    missing = {}
    if engines := missing_engines([PEER]):
        missing["independent"] = f"{PEER} is {engines[PEER]}"
    try:
        check_machine()
    except ModelCheckError as error:
        missing["model-check"] = str(error)
    if tools := missing_modelled_board_tools():
        missing["tuning"] = "; ".join(tools)
    try:
        digits_folder()
    except DigitsError as error:
        missing["accuracy"] = str(error)
    return missing
