"""What shows a run: told of each piece of code as it begins, of its outputs, and of its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from kernelway.protocol.execution import ExecuteReply, Output

LEFT: Final = "[…]"
"""What stands beside code that nobody waited for to the end."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A piece of code that is sent now: its number from 0, its code, and its rows in the file from 0."""

    index: int
    code: str
    first_row: int
    last_row: int


class View(Protocol):
    """A place to show one run on. Outputs come between ``begin`` and ``end``, which alternate."""

    def begin(self, piece: Beginning) -> None:
        """A piece of code was sent."""

    async def receive(self, output: Output) -> None:
        """It has an output; waits where whoever reads this is slow."""

    def end(self, reply: ExecuteReply | None) -> None:
        """It ended; or, with None, whoever waits for it left before."""

    def ask(self, prompt: str) -> None:
        """Show what a person is asked; they type behind it."""

    def answered(self, text: str | None) -> None:
        """Take what the person typed, as the terminal has shown it with its line end: nothing of a secret.

        With None there was no answer, and the cursor is still behind the prompt.
        """

    def note(self, text: str) -> None:
        """Show a sentence of our own while the code runs."""
