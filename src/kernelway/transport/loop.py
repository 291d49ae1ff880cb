"""The event loop that the processes of Kernelway run in."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run_loop(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a process's main coroutine to its end, on uvloop where that exists.

    A process of ours that was loaded with the search for garbage turned off begins it here, and without what
    it has loaded: that stays anyway, and a host or gateway would stand still for 10 ms to look through it.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
