"""The one error that a command line shows without a traceback."""


class InputError(Exception):
    """What the user gave, or what this machine has, cannot be used.

    The message says what was expected, what came (with values), and what to do next. Rooms
    derive their own concrete types from it (`CheckpointError`, `BoardError`, ...).
    """
