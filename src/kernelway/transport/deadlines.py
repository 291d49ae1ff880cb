"""``asyncio.timeout``, as it is from Python 3.11.3 on.

Before that it raises CancelledError instead of TimeoutError in a task that is being cancelled, and so in
every cleanup that has a deadline. Debian 12 has Python 3.11.2.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final


@contextlib.asynccontextmanager
async def timeout_before_3_11_3(delay: float | None) -> AsyncIterator[None]:
    """Cancel the block after ``delay`` seconds, and raise TimeoutError then; never where it is None."""
    task = asyncio.current_task()
    assert task is not None
    before, expired = task.cancelling(), False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = None if delay is None else asyncio.get_running_loop().call_later(delay, expire)
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
        if expired and task.uncancel() <= before:
            error = sys.exception()
            if isinstance(error, asyncio.CancelledError):
                raise TimeoutError from error


timeout: Final[Callable[[float | None], AbstractAsyncContextManager[object]]] = (
    asyncio.timeout if sys.version_info >= (3, 11, 3) else timeout_before_3_11_3
)
"""The one to use, in seconds from now."""
