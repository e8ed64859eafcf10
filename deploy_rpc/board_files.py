"""What this machine tells of its clock, temperature and load, as the agent does on a board."""

from __future__ import annotations

from pathlib import Path

FILES = {  # the same as in agent/offered.c
    "governor": Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    "frequency": Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"),
    "temperature": Path("/sys/class/thermal/thermal_zone0/temp"),
    "load": Path("/proc/loadavg"),
}


def local_board_file(name: str) -> str:
    """The first line of the file that tells `name`, "" where there is none."""
    try:
        return FILES[name].read_text(encoding="ascii").partition("\n")[0].strip()
    except (KeyError, OSError):
        return ""
