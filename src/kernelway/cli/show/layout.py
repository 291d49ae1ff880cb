"""From entries to rows of text: what stands beside a piece of code, and what below it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kernelway.cli.show.paint import Paint, Tone
from kernelway.cli.show.pictures import AttachmentFolder
from kernelway.cli.show.representation import Attachment, represent
from kernelway.cli.show.row import Row, RowKind
from kernelway.cli.show.terminal import PIPE_COLUMNS
from kernelway.cli.show.tracebacks import lines_of, text_of
from kernelway.cli.show.transcript import Bundle, Entry, StreamText, Transcript, text_of_lost
from kernelway.cli.show.wrapping import folded, safe
from kernelway.protocol.execution import Error, Lost
from kernelway.source import Look, Shown, ShownKind, beside, look
from kernelway.source.terminal import clipped, plain, width, without_tabs

GUTTER: Final = "  │ "
"""What sets output off from code."""
_CODE_TAB: Final = 4
_GAP: Final = 4
_LEAST_ROOM: Final = 24
"""Columns that a result has even beside a line that leaves fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How text is laid out; ``columns`` is the width at which rows end, None where they never do."""

    paint: Paint
    columns: int | None
    gutter: bool = True
    links: bool = False
    """Whether the name of a file can be clicked on."""

    @property
    def width(self) -> int:
        """The columns that are laid out for."""
        return PIPE_COLUMNS if self.columns is None else self.columns

    def source(self, row: Row) -> str:
        """A row of code, a comment or a blank row, without a result."""
        text = safe(without_tabs(row.text.rstrip(), tab=_CODE_TAB), colours=False)
        if self.columns is not None:
            text = clipped(text, self.columns)
        return self.paint(text, Tone.QUIET) if row.kind is RowKind.ASIDE else text

    def beside(self, row: Row, mark: str, tone: Tone, column: int) -> str:
        """A row of code with a result."""
        return beside(self._narrowed(row, width(mark)), self.paint(mark, tone), column, tab=_CODE_TAB)

    def room(self, row: Row, column: int) -> int:
        """The columns for a result beside this row."""
        taken = max(column, width(self._narrowed(row, _LEAST_ROOM)) + _GAP)
        return max(self.width - taken, _LEAST_ROOM if self.columns is None else 0)

    def output(self, lines: Iterable[str], tone: Tone = Tone.QUIET) -> list[str]:
        """Lines of output as rows; the tone is the gutter's."""
        gutter, bare = (self.paint(text, tone) if self.gutter else "" for text in (GUTTER, GUTTER.rstrip()))
        room = None if self.columns is None else max(self.columns - len(GUTTER) * self.gutter, 1)
        rows: list[str] = []
        for line in lines:
            shown = safe(line, colours=self.paint.colours)
            rows += [shown] if room is None else folded(shown, room)
        return [gutter + row if row else bare for row in rows]

    def _narrowed(self, row: Row, room: int) -> str:
        """The row's text, cut where it would leave less room for a result."""
        text = safe(without_tabs(row.text.rstrip(), tab=_CODE_TAB), colours=False)
        if self.columns is None:
            return text
        return clipped(text, max(self.columns - _GAP - room, self.columns // 2))


class Entries:
    """The entries of transcripts as lines; what is no text goes to files, each once."""

    def __init__(self, folder: AttachmentFolder, layout: Layout) -> None:
        self._folder = folder
        self._layout = layout

    def lines(self, entry: Entry) -> list[str]:
        """The lines below the code, not made safe and not cut to rows yet."""
        if isinstance(entry, StreamText):
            return entry.all_lines()
        if isinstance(entry, Error):
            return list(lines_of(entry))
        if isinstance(entry, Lost):
            return [f"⋯ {text_of_lost(entry)}"]
        return self.text(entry).rstrip("\n").split("\n")

    def text(self, bundle: Bundle) -> str:
        """What a terminal shows of it in words."""
        if bundle.text is None:
            shown = represent(bundle.data)
            bundle.text = self._file(shown) if isinstance(shown, Attachment) else shown.text
        return bundle.text

    def look(self, transcript: Transcript, room: int) -> Look:
        """What stands beside the code, for which there are so many columns.

        With nothing below but what is beside the code already, ``below`` is empty.
        """
        error = transcript.error
        if error is not None:
            shown = Shown(ShownKind.ERROR, plain(text_of(error)))
            seen = look([shown], room=room)
            alone = not error.traceback and len(transcript.entries) == 1
            return Look(seen.mark) if alone and seen.mark == look([shown], room=10**6).mark else seen
        if not transcript.is_whole or len(transcript.entries) > 1:
            return Look(None, below=(_SOMETHING,))
        return look((self._shown(entry) for entry in transcript.entries), room=room)

    def _shown(self, entry: Entry) -> Shown:
        assert not isinstance(entry, Error | Lost)
        if isinstance(entry, StreamText):
            # Two lines are as good as any more: they go below.
            return Shown(ShownKind.STREAM, "\n".join(entry.all_lines()[:3]))
        kind = ShownKind.RESULT if entry.is_result else ShownKind.DISPLAY
        return Shown(kind, self.text(entry))

    def _file(self, attachment: Attachment) -> str:
        path = self._folder.keep(attachment)
        link = path.as_uri()
        return f"[{attachment.name}] {link if self._layout.links else path}"


def tone_of(seen: Look, transcript: Transcript) -> Tone:
    """What stands beside the code, as good or bad."""
    if transcript.error is not None:
        return Tone.BAD
    return Tone.GOOD if seen.mark == "[✓]" else Tone.VALUE


_SOMETHING: Final = Shown(ShownKind.STREAM, "\n")
