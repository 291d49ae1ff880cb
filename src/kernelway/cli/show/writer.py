"""Writing to a stream that may be slow, such as a pager's, without holding up the event loop.

Whoever waits for it may still be asked for a sign of life by a gateway, and a private gateway in this very
process reads its kernels' output meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self, TextIO

from kernelway.transport import deadlines

_MOST_PENDING: Final = 1 << 20
"""Characters that may wait before whoever produces them has to."""

_LEAVES_WITHIN: Final = 2.0
"""Seconds for the last words of a command that is being left."""


class Writer:
    """Text for one stream, in order. ``async with`` bounds it, and writes the rest at its end.

    Errors of the stream, such as ``BrokenPipeError``, come out of :meth:`drain` and :meth:`flush`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pending: list[str] = []
        self._size = 0
        self._more = asyncio.Event()
        self._wrote = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="write")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        try:
            if kind is None:
                await self.flush()
            else:
                # The error that ends the command matters more than one of its last words.
                with contextlib.suppress(OSError, TimeoutError):
                    async with deadlines.timeout(_LEAVES_WITHIN):
                        await self.flush()
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])

    def write(self, text: str) -> None:
        """Take text, and do not wait."""
        if text:
            self._pending.append(text)
            self._size += len(text)
            self._more.set()

    async def drain(self) -> None:
        """Wait while much is left to be written."""
        while self._size > _MOST_PENDING:
            await self._written()

    async def flush(self) -> None:
        """Wait until everything is written."""
        while self._size:
            await self._written()

    async def _written(self) -> None:
        assert self._task is not None
        wrote = asyncio.create_task(self._wrote.wait())
        try:
            await asyncio.wait([wrote, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            wrote.cancel()
        if self._task.done():
            self._task.result()

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            text = "".join(self._pending)
            self._pending.clear()
            await asyncio.to_thread(self._put, text)
            self._size -= len(text)
            self._wrote.set()
            self._wrote = asyncio.Event()

    def _put(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        # A lone surrogate, or a character that the person's locale lacks, is no reason to stop.
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()
