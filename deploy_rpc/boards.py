"""Boards that users name as a target: which core, how fast, how many.

Sources: the vendors' product pages. Of big.LITTLE systems the row describes the big cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy_rpc.cores import UnknownCoreError, unknown_name


@dataclass(frozen=True)
class Board:
    """One board; `threads` is the number of equal cores."""

    name: str
    core: str
    clock_mhz: int
    threads: int
    description: str


# fmt: off
BOARDS = (
    Board("rpi2",       "cortex-a7",   900, 4, "Raspberry Pi 2B, BCM2836, 32-bit"),
    Board("rpi3",       "cortex-a53", 1200, 4, "Raspberry Pi 3B, BCM2837"),
    Board("rpi3b+",     "cortex-a53", 1400, 4, "Raspberry Pi 3B+, BCM2837B0"),
    Board("rpi4",       "cortex-a72", 1800, 4, "Raspberry Pi 4, BCM2711"),
    Board("rpi5",       "cortex-a76", 2400, 4, "Raspberry Pi 5, BCM2712"),
    Board("rk3399",     "cortex-a72", 1800, 2, "Rockchip RK3399, its two A72 cores"),
    Board("rk3568",     "cortex-a55", 2000, 4, "Rockchip RK3568"),
    Board("rk3588",     "cortex-a76", 2400, 4, "Rockchip RK3588, its four A76 cores"),
    Board("odroid-n2+", "cortex-a73", 2400, 4, "Odroid-N2+, Amlogic S922X, its four A73 cores"),
)
# fmt: on


def find_board(name: str) -> Board:
    """The board called `name`; raises `UnknownCoreError` that names the nearest ones."""
    for board in BOARDS:
        if board.name == name:
            return board
    raise UnknownCoreError(unknown_name("board", name, [board.name for board in BOARDS]))
