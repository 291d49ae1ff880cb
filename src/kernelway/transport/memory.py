"""What a process that carries large messages tells its allocator."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_TRIM_THRESHOLD: Final = -1
"""Both of ``malloc.h`` in the GNU C library."""

_LARGE: Final = 1 << 20

_KEPT: Final = 4 << 20
"""Bytes at the end of the heap that stay, since pieces of large messages come and go there."""


def give_back_large_pieces() -> None:
    """Have pieces of a mebibyte and more go back to the operating system as soon as they are freed.

    Left to itself the GNU C library learns from the first large message that large pieces come again, and
    keeps them, and what lies between them, for good: a kernel that prints messages of 14 MB cost a host 90
    MiB and more, and costs it a third of that with this. Other C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    # With the other one set, this would stay at 128 KiB, which is a part of a large message: each would be
    # taken from the operating system and given back.
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
