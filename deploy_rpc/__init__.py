"""Boards: the table of cores, sessions on boards near and far, and running a library there."""
