"""Answering what code asks for with the lines that a person types."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from kernelway.cli.asking import END_OF_INPUT, Keyboard
from kernelway.cli.show.view import View
from kernelway.client import Execution
from kernelway.protocol.execution import InputRequest
from kernelway.transport import deadlines

_LATE: Final = 0.05
"""Seconds for what the code printed before it asked, which comes on another channel than the question."""


class Answering:
    """The questions of one execution, one at a time; leaving the context takes an open one back.

    Outputs can be read and shown meanwhile.
    """

    def __init__(self, execution: Execution, view: View, keyboard: Keyboard | None) -> None:
        self._execution = execution
        self._view = view
        self._keyboard = keyboard
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.take_back()

    def ask(self, request: InputRequest) -> None:
        """Put a question to the person."""
        self._task = asyncio.create_task(self._answer(request), name="answer the kernel")

    async def take_back(self) -> None:
        """Stop asking, if somebody is being asked."""
        if self._task is not None:
            self._task.cancel()
            # Where the answer could not be sent, the execution fails for the same reason, and tells of it.
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _answer(self, request: InputRequest) -> None:
        if self._keyboard is None:
            # The kernel was told that nobody can answer, and asks all the same.
            await self._execution.answer(request, END_OF_INPUT)
            return
        with suppress(TimeoutError):
            async with deadlines.timeout(_LATE):
                await self._execution.reply
                return
        with self._keyboard.hidden(hide=request.password):
            self._view.ask(request.prompt)
            text: str | None = None
            try:
                text = await self._keyboard.line()
            finally:
                self._view.answered("" if request.password and text is not None else text)
        await self._execution.answer(request, END_OF_INPUT if text is None else text)
