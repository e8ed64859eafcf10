"""The options of a built library's `create`, as ctypes has them."""

from __future__ import annotations

import ctypes


class Options(ctypes.Structure):
    """The fields of the generated header, in order."""

    _fields_ = [
        ("workspace", ctypes.c_void_p),
        ("workspace_bytes", ctypes.c_size_t),
        ("threads", ctypes.c_int),
        ("on_thread", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
    ]
