"""A run in a pipe or a file: the same text as on a terminal, each line written once.

What stands beside a line of code is known when its only output is; so a first line of output waits until
another comes or the code ends. From then on every line is written when it is complete.
"""

from __future__ import annotations

from typing import TextIO

from kernelway.cli.show.layout import Entries, Layout, tone_of
from kernelway.cli.show.paint import Paint, Tone
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.row import Row, RowKind
from kernelway.cli.show.transcript import Bundle, Entry, StreamText, Transcript
from kernelway.cli.show.view import LEFT, Beginning, Source
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import Error, ExecuteReply, Lost, Output


class PlainView:
    """Writes a run as text; what cannot be taken back, such as a cleared output, stays."""

    def __init__(
        self,
        writer: Writer,
        folder: AttachmentFolder,
        listing: Source,
        *,
        notes: TextIO,
        colours: bool = False,
    ) -> None:
        self._writer = writer
        self._listing = listing
        self._layout = Layout(paint=Paint(colours=colours), columns=None)
        self._entries = Entries(folder, self._layout)
        self._column = 0
        self._notes = notes
        self._transcript = Transcript()
        self._head: Row | None = None
        """The row of code with the result beside it, while it is not written."""

    def begin(self, piece: Beginning) -> None:
        """Write the code, but for the row that has the result beside it."""
        self._transcript = Transcript()
        self._column = self._listing.column(self._layout.width)
        *code, self._head = self._listing.code(piece.index)
        self._write([self._layout.source(row) for row in (*self._listing.above(piece.index), *code)])

    async def receive(self, output: Output) -> None:
        """Take an output, and write what cannot change any more."""
        self._transcript.receive(output)
        self._advance(ended=False)
        await self._writer.drain()

    def end(self, reply: ExecuteReply | None) -> None:
        """Write the rest."""
        if self._head is not None and reply is None:
            self._write([self._layout.beside(self._head, LEFT, Tone.QUIET, self._column)])
            self._head = None
        if self._head is not None:
            room = self._layout.room(self._head, self._column)
            seen = self._entries.look(self._transcript, room)
            if seen.mark is not None:
                tone = tone_of(seen, self._transcript)
                self._write([self._layout.beside(self._head, seen.mark, tone, self._column)])
                self._head = None
                if not seen.below:
                    return
        self._advance(ended=True)

    def ask(self, prompt: str) -> None:
        """Nobody can be asked here."""

    def answered(self, text: str | None) -> None:
        """Nobody was asked."""

    def note(self, text: str) -> None:
        """Write it where errors go."""
        print(text, file=self._notes, flush=True)

    def aside(self, text: str) -> None:
        """Write it among the code."""
        self._write([self._layout.source(Row(text, RowKind.ASIDE))])

    def _advance(self, *, ended: bool) -> None:
        if self._head is not None:
            if not ended and self._may_stand_beside():
                return
            self._write([self._layout.source(self._head)])
            self._head = None
        entries = self._transcript.entries
        while entries and (ended or len(entries) > 1 or self._is_final(entries[0])):
            self._write(self._layout.output(self._entries.lines(entries.pop(0))))
            self._transcript.was_taken = True
        if entries and isinstance(entries[0], StreamText) and entries[0].lines:
            self._write(self._layout.output(entries[0].lines))
            entries[0].lines.clear()
            self._transcript.was_taken = True

    def _may_stand_beside(self) -> bool:
        """Whether the result may still turn out to be one short line, or an error with nothing before it."""
        if self._transcript.error is not None:
            return True
        room = self._layout.room(self._head or Row(""), self._column)
        return not self._entries.look(self._transcript, room).below

    @staticmethod
    def _is_final(entry: Entry) -> bool:
        """Whether the last entry can be written: text may go on, and what has an id may be updated."""
        return isinstance(entry, Error | Lost) or (isinstance(entry, Bundle) and entry.display_id is None)

    def _write(self, rows: list[str]) -> None:
        self._writer.write("".join(f"{row}\n" for row in rows))
