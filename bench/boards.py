"""Where libraries for a target run on this machine."""

BOARDS = {"host": "local", "arm_cpu": "emulated"}
