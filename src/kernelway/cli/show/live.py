"""A run on a terminal: a spinner beside the line that runs, and its outputs as they are now.

Only the end of the screen can be redrawn. Rows that leave it at the top are let go as they are; from then on
the result no longer stands beside the code, and the spinner turns below the outputs.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

from kernelway.cli.sentences import wrapped
from kernelway.cli.show.layout import GUTTER, Entries, Layout, tone_of
from kernelway.cli.show.paint import Paint, Tone
from kernelway.cli.show.pictures import AttachmentFolder, drawn
from kernelway.cli.show.region import Region
from kernelway.cli.show.remaining import Remaining
from kernelway.cli.show.representation import Attachment, represent
from kernelway.cli.show.row import Row, RowKind
from kernelway.cli.show.spinner import TURN, spinner
from kernelway.cli.show.terminal import PictureProtocol, Terminal
from kernelway.cli.show.transcript import Bundle, Entry, StreamText
from kernelway.cli.show.view import LEFT, Beginning, Source
from kernelway.cli.show.writer import Writer
from kernelway.protocol.execution import Error, ExecuteReply, Lost, Output
from kernelway.source import Look
from kernelway.source.terminal import clipped, plain, width

_FRAME: Final = 0.04
"""Seconds in which outputs are gathered before they are drawn."""
_CALM: Final = 0.15
"""Seconds in which no spinner is shown: most lines have ended by then."""


class LiveView:
    """Shows a run on a terminal whose cursor can be moved; without a listing only the outputs.

    It draws by timers of the running event loop, between ``begin`` and ``end``.
    """

    def __init__(
        self, terminal: Terminal, writer: Writer, folder: AttachmentFolder, *, listing: Source | None = None
    ) -> None:
        self._terminal = terminal
        self._writer = writer
        self._folder = folder
        self._listing = listing
        self._paint = Paint(colours=terminal.colours)
        self._region = Region()
        self._remaining = Remaining(self._rows)
        self._head: Row | None = None
        """The row of code with the result beside it, while it can be changed."""
        self._note = ""
        self._standing = ""
        self._asks = False
        self._began = 0.0
        self._runs = False
        self._was_left = False
        self._drawing: asyncio.TimerHandle | None = None
        self._turning: asyncio.TimerHandle | None = None
        self._size: os.terminal_size | None = None
        self._measure()

    def begin(self, piece: Beginning) -> None:
        """Show the code, and that it runs."""
        self._remaining = Remaining(self._rows)
        self._note = ""
        self._was_left = False
        self._began, self._runs = asyncio.get_running_loop().time(), piece.runs
        self._measure()
        if self._listing is not None:
            self._column = self._listing.column(self._columns)
            *code, self._head = self._listing.code(piece.index)
            rows = [self._layout.source(row) for row in (*self._listing.above(piece.index), *code)]
            self._writer.write(self._region.draw(rows))
            self._region.release()
        self._draw()
        if piece.runs:
            self._turn()

    async def receive(self, output: Output) -> None:
        """Take an output, and draw it with those that come within the same moment."""
        self._remaining.transcript.receive(output)
        if self._drawing is None:
            self._drawing = asyncio.get_running_loop().call_later(_FRAME, self._draw)
        await self._writer.drain()

    def end(self, reply: ExecuteReply | None) -> None:
        """Show how it ended, for good."""
        if self._asks:
            self._skip_answer()
        self._runs, self._was_left, self._note = False, reply is None, ""
        self._stop()
        standing, self._standing = self._standing, ""
        self._draw()
        self._region.release()
        self._head = None
        self._remaining = Remaining(self._rows)
        self.stand(standing)

    def ask(self, prompt: str) -> None:
        """Put the prompt behind what the code printed, and the cursor behind the prompt."""
        self._stop()
        self._remaining.transcript.write(prompt)
        self._asks = True
        self._redraw()
        self._writer.write(self._region.into_last_row(self._cursor()))

    def answered(self, text: str | None) -> None:
        """Go on below what the person typed."""
        if text is None:
            self._skip_answer()
        else:
            self._asks = False
            taken = -(-(self._cursor() + width(text)) // self._columns)
            self._region.typed([""] * max(taken, 1))
            self._remaining.transcript.write(text + "\n")
        self._turn()

    def note(self, text: str) -> None:
        """Show a sentence below the outputs, until the code ends."""
        self._note = text
        self._draw()

    def aside(self, text: str) -> None:
        """Write a sentence of our own between pieces of code, for good."""
        self._writer.write(self._region.draw([self._layout.source(Row(text, RowKind.ASIDE))]))
        self._region.release()
        self._draw()

    def stand(self, text: str) -> None:
        """Keep a row below everything, whatever runs, until another text takes its place; none ends it."""
        self._standing = text
        self._draw()

    def _measure(self) -> None:
        """Lay out for the window as it is now."""
        size = self._terminal.size()
        if size == self._size:
            return
        self._size = size
        self._columns, self._most_rows = size.columns, max(size.lines - 1, 1)
        self._layout = Layout(
            paint=self._paint, columns=size.columns, gutter=self._listing is not None, links=True
        )
        self._entries = Entries(self._folder, self._layout)
        self._column = 0 if self._listing is None else self._listing.column(size.columns)

    def _skip_answer(self) -> None:
        """Leave the row that the person was to type in."""
        self._asks = False
        self._writer.write("\n")
        self._remaining.transcript.write("\n")

    def _draw(self) -> None:
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None
        # While the person types, the cursor and the row it is in are theirs.
        if not self._asks:
            self._redraw()

    def _redraw(self) -> None:
        self._measure()
        self._draw_pictures()
        rows = self._frame()
        self._writer.write(self._region.draw(rows))
        self._let_go(len(rows) - self._most_rows)

    def _turn(self) -> None:
        self._turning = asyncio.get_running_loop().call_later(TURN, self._turn)
        self._draw()

    def _stop(self) -> None:
        if self._turning is not None:
            self._turning.cancel()
            self._turning = None

    def _frame(self) -> list[str]:
        """The rows that can still change, from the row of code on."""
        room = 0 if self._head is None else self._layout.room(self._head, self._column)
        seen = self._entries.look(self._remaining.transcript, room)
        body = self._remaining.rows() if self._below(seen) else []
        if self._asks and not self._last_line():
            body += self._layout.output([""])
        foot = [self._paint(row, Tone.WARNING) for row in _foot((self._note, self._standing), self._columns)]
        scrolls = 1 + len(body) + len(foot) >= self._most_rows
        if self._head is None or (self._runs and scrolls):
            # A spinner that scrolled away would turn no more.
            if (turning := self._spinner()) and not self._asks:
                foot.append(self._paint(turning, Tone.QUIET))
            head = [] if self._head is None else [self._layout.source(self._head)]
            return [*head, *body, *foot]
        return [self._beside(self._head, seen), *body, *foot]

    def _below(self, seen: Look) -> bool:
        """Whether outputs stand below the code."""
        is_open = self._runs or self._was_left or self._head is None or self._listing is None
        return is_open or bool(seen.below)

    def _beside(self, head: Row, seen: Look) -> str:
        if self._runs:
            turning = "…" if self._asks else self._spinner()
            mark, tone = f"[{turning}]" if turning else "", Tone.QUIET
        elif self._was_left:
            mark, tone = LEFT, Tone.QUIET
        else:
            mark, tone = seen.mark or "", tone_of(seen, self._remaining.transcript)
        if not mark:
            return self._layout.source(head)
        return self._layout.beside(head, mark, tone, self._column)

    def _spinner(self) -> str:
        seconds = asyncio.get_running_loop().time() - self._began
        return spinner(seconds) if self._runs and seconds > _CALM else ""

    def _rows(self, entry: Entry) -> list[str]:
        tone = Tone.BAD if isinstance(entry, Error | Lost) else Tone.QUIET
        return self._layout.output(self._entries.lines(entry), tone)

    def _draw_pictures(self) -> None:
        """Draw the pictures that came, for good, with everything above them."""
        while (found := self._first_picture()) is not None:
            index, picture = found
            head = [] if self._head is None else [self._layout.source(self._head)]
            self._writer.write(self._region.draw([*head, *self._remaining.rows(until=index)]))
            self._writer.write(" " * len(GUTTER) + picture)
            self._region.release()
            self._remaining.let_entries_go(index + 1)
            self._head = None

    def _first_picture(self) -> tuple[int, str] | None:
        """The first entry that this terminal can draw, and what draws it."""
        if self._terminal.pictures is PictureProtocol.NONE:
            return None
        for index, entry in enumerate(self._remaining.transcript.entries):
            if isinstance(entry, Bundle) and entry.text is None:
                shown = represent(entry.data)
                room = self._columns - len(GUTTER)
                if isinstance(shown, Attachment) and (
                    picture := drawn(shown, self._terminal.pictures, columns=room)
                ):
                    return index, picture
        return None

    def _let_go(self, count: int) -> None:
        """Leave so many rows at the top as they are, since they have left the screen."""
        if count > 0:
            self._region.release(count)
            self._remaining.let_go(count - (self._head is not None))
            self._head = None

    def _last_line(self) -> str:
        """What the person's answer follows on its line."""
        last = self._remaining.transcript.entries[-1] if self._remaining.transcript.entries else None
        return last.last if isinstance(last, StreamText) else ""

    def _cursor(self) -> int:
        """The column behind that."""
        rows = self._layout.output([self._last_line()])
        return max(width(plain(rows[-1])), len(GUTTER) if self._layout.gutter else 0)


def _foot(sentences: tuple[str, ...], columns: int) -> list[str]:
    """The rows of our own sentences."""
    text = "\n".join(filter(None, sentences))
    return [clipped(row, columns) for row in wrapped(text, columns).splitlines()]
