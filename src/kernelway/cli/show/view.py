"""What shows a run: told of each piece of code as it begins, of its outputs, and of its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from kernelway.cli.show.row import Row
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
    runs: bool = True
    """Whether it is under way now; what a thread prints after its code has ended belongs to none that is."""


class Source(Protocol):
    """The code that a run shows, by the number of each piece."""

    def column(self, columns: int) -> int:
        """The column for results where so many columns can be seen."""

    def above(self, index: int) -> list[Row]:
        """What stands between a piece and the one above."""

    def code(self, index: int) -> list[Row]:
        """The rows of a piece up to the one that has the result beside it; one at least."""


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


class HistoryView(View, Protocol):
    """A view that shows what others run, too."""

    def aside(self, text: str) -> None:
        """Write a sentence of our own between pieces of code, for good."""


@runtime_checkable
class StandingView(View, Protocol):
    """A view that can keep a row below everything, as that on a terminal can."""

    def stand(self, text: str) -> None:
        """Keep the row, whatever runs, until another text takes its place; none ends it."""
