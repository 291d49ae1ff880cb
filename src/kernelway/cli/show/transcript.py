"""What one piece of code has shown so far: outputs in, entries to lay out.

Streams are kept line by line, as a terminal would show them: carriage returns overwrite within a line, and a
line that has ended never changes again. ``clear_output`` drops the entries, and an update takes the place of
the display that has its id. Whoever lays the entries out may take the first lines and entries away once they
are printed for good; an update of one that was taken away comes as a new entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from kernelway.cli.show.wrapping import after, closed
from kernelway.protocol.execution import (
    Clear,
    Display,
    Error,
    Lost,
    MimeBundle,
    Output,
    Result,
    Stream,
    Update,
)
from kernelway.protocol.link_framing import Hole
from kernelway.source.terminal import overwritten

_LONGEST_LINE: Final = 1 << 20
"""Characters after which a line that does not end is cut, so that it can be printed."""


@dataclass(slots=True)
class StreamText:
    """Adjacent text on stdout and stderr, which a terminal shows as one."""

    lines: list[str] = field(default_factory=list)
    """The lines that have ended; each carries its own colours."""
    tail: str = ""
    """The line that has not ended, as it came."""
    colours: str = ""
    """The colours that are on where the tail begins."""

    def write(self, text: str) -> None:
        """Add text to the end."""
        *ended, tail = (self.tail + text).split("\n")
        for line in ended:
            shown = overwritten(line)
            self.lines.append(closed(self.colours, shown))
            self.colours = after(self.colours, shown)
        self.tail = _shortened(tail)
        if len(self.tail) > _LONGEST_LINE:
            self.write("\n")

    @property
    def last(self) -> str:
        """The line that has not ended, as a terminal shows it now."""
        return closed(self.colours, overwritten(self.tail))

    def all_lines(self) -> list[str]:
        """Every line, the one that has not ended included."""
        return [*self.lines, self.last] if self.tail else self.lines


@dataclass(slots=True)
class Bundle:
    """Something displayed, or the value of the code, in one or more representations."""

    data: MimeBundle
    metadata: dict[str, Any]
    display_id: str | None
    is_result: bool = False
    text: str | None = None
    """What it comes to in words, once somebody has worked that out."""


Entry: TypeAlias = StreamText | Bundle | Error | Lost


class Transcript:
    """The entries of one piece of code, in the order in which they came."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.clears = 0
        """How often everything was dropped."""
        self.was_taken = False
        """Whether something was printed for good, so that what is here is not all."""
        self._clears_next = False

    def receive(self, output: Output) -> None:
        """Take the next output; an input request is not one of those that are shown."""
        if isinstance(output, Clear) and output.wait:
            self._clears_next = True
            return
        if isinstance(output, Clear) or self._clears_next:
            self._clears_next = False
            self.entries.clear()
            self.clears += 1
        match output:
            case Stream(text=text):
                self.write(text)
            case Display(data=data, metadata=metadata, display_id=display_id):
                self.entries.append(Bundle(data, metadata, display_id))
            case Result(data=data, metadata=metadata, display_id=display_id):
                self.entries.append(Bundle(data, metadata, display_id, is_result=True))
            case Update():
                self._update(output)
            case Error() | Lost():
                self.entries.append(output)

    def write(self, text: str) -> None:
        """Add text to the stream at the end, which begins here where something else came last."""
        if not self.entries or not isinstance(self.entries[-1], StreamText):
            self.entries.append(StreamText())
        stream = self.entries[-1]
        assert isinstance(stream, StreamText)
        stream.write(text)

    @property
    def is_whole(self) -> bool:
        """Whether everything is here that the code has shown."""
        return not self.was_taken and not any(isinstance(entry, Lost) for entry in self.entries)

    @property
    def error(self) -> Error | None:
        """What ended the code, if anything."""
        return next((entry for entry in self.entries if isinstance(entry, Error)), None)

    def _update(self, update: Update) -> None:
        shown = [
            entry
            for entry in self.entries
            if isinstance(entry, Bundle) and entry.display_id == update.display_id
        ]
        for entry in shown:
            entry.data, entry.metadata, entry.text = update.data, update.metadata, None
        if not shown:
            self.entries.append(Bundle(update.data, update.metadata, update.display_id))


def _shortened(tail: str) -> str:
    """An unfinished line without what its carriage returns have overwritten: progress bars write many."""
    before, returned, rest = tail.rpartition("\r")
    if "\r" not in before:
        return tail
    return overwritten(before) + returned + rest


def text_of_lost(lost: Lost | Hole) -> str:
    """What is missing, in a sentence."""
    reason = lost.reason.strip() or "nobody knows why."
    if lost.messages is None:
        return f"Messages are no longer kept: {reason}"
    one = lost.messages == 1
    return f"{lost.messages:,} {'message is' if one else 'messages are'} no longer kept: {reason}"
