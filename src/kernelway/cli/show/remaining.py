"""What of a transcript is still on the screen, where it can change.

Rows leave the screen at its top, for good. Lines and entries all of whose rows have left are taken out of the
transcript, so that it holds little more than a screen, however much the code prints.
"""

from __future__ import annotations

from collections.abc import Callable

from kernelway.cli.show.transcript import Entry, StreamText, Transcript


class Remaining:
    """The rows of a transcript from the first one that is still on the screen."""

    def __init__(self, render: Callable[[Entry], list[str]]) -> None:
        self.transcript = Transcript()
        self._render = render
        self._clears = 0
        self._gone = 0
        """Rows that have left, of the entries that the transcript still has."""

    def rows(self, *, until: int | None = None) -> list[str]:
        """The rows of the entries, or of those before one of them."""
        if self.transcript.clears != self._clears:
            self._clears, self._gone = self.transcript.clears, 0
        return [row for entry in self.transcript.entries[:until] for row in self._render(entry)][self._gone :]

    def let_go(self, count: int) -> None:
        """Take it that so many more rows have left the screen."""
        self._gone += count
        self.transcript.was_taken = True
        entries = self.transcript.entries
        while entries and self._gone and self._is_gone(entries[0], is_last=len(entries) == 1):
            del entries[0]

    def let_entries_go(self, count: int) -> None:
        """Take it that the first entries were left as they are, for good."""
        self._gone = 0
        self.transcript.was_taken = True
        del self.transcript.entries[:count]

    def _is_gone(self, entry: Entry, *, is_last: bool) -> bool:
        """Whether an entry has left the screen; its rows no longer count then."""
        if isinstance(entry, StreamText):
            self._drop_lines(entry)
            if entry.lines or is_last:
                # A line that has not ended may be overwritten still.
                return False
        taken = len(self._render(entry))
        if taken > self._gone:
            return False
        self._gone -= taken
        return True

    def _drop_lines(self, stream: StreamText) -> None:
        dropped = 0
        for line in stream.lines:
            taken = len(self._render(StreamText([line])))
            if taken > self._gone:
                break
            self._gone -= taken
            dropped += 1
        del stream.lines[:dropped]
