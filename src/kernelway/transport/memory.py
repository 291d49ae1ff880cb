"""What a process that carries large messages tells its allocator."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
"""Of ``malloc.h`` in the GNU C library."""

_LARGE: Final = 1 << 20


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
