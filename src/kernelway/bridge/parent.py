"""Noticing the end of the process that started this one, which nobody tells."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

_LOOKS_EVERY: Final = 1.0
"""Seconds, where the operating system has no event for it."""


def parent_named(environ: Mapping[str, str]) -> int | None:
    """The process that a Jupyter client says it is, as kernels are told; None where none is."""
    said = environ.get("JPY_PARENT_PID", "")
    # A client that is the first process of its container cannot be outlived.
    return int(said) if said.isdecimal() and int(said) > 1 else None


@asynccontextmanager
async def watching(parent: int | None, ended: Callable[[], None]) -> AsyncIterator[None]:
    """Call ``ended`` once the process has ended, while the block is open."""
    if parent is None:
        yield
    elif sys.platform == "linux":
        async with _by_descriptor(parent, ended):
            yield
    else:
        task = asyncio.create_task(_by_looking(os.getppid(), ended), name="watch the parent")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


@asynccontextmanager
async def _by_descriptor(parent: int, ended: Callable[[], None]) -> AsyncIterator[None]:
    assert sys.platform == "linux"
    try:
        descriptor = os.pidfd_open(parent)
    except ProcessLookupError:
        # It has ended already, or counts its processes in another container.
        if os.getppid() == 1:
            ended()
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, _once, loop, descriptor, ended)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _once(loop: asyncio.AbstractEventLoop, descriptor: int, ended: Callable[[], None]) -> None:
    loop.remove_reader(descriptor)
    ended()


async def _by_looking(parent: int, ended: Callable[[], None]) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110 - there is no event to wait for.
        await asyncio.sleep(_LOOKS_EVERY)
    ended()
