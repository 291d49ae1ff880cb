"""The end of what is on a terminal, which can still change: rows that are redrawn where they differ."""

from __future__ import annotations

from collections.abc import Sequence

_UP = "\x1b[{}A"
_RIGHT = "\x1b[{}C"
_ERASE_ROW = "\x1b[K"
_ERASE_BELOW = "\x1b[J"


class Region:
    """Rows above the cursor, which stands at the start of the row below them.

    Everything here returns the text to write. No row may be wider than the terminal, and those that are to be
    changed later must not have left its screen: :meth:`release` is told how many have.
    """

    def __init__(self) -> None:
        self._rows: list[str] = []

    def draw(self, rows: Sequence[str]) -> str:
        """Show these rows in the place of those that were shown; nothing where they are the same."""
        if rows == self._rows:
            return ""
        text = _UP.format(len(self._rows)) + "\r" if self._rows else "\r"
        for index, row in enumerate(rows):
            if index < len(self._rows) and row == self._rows[index]:
                text += "\n"
            else:
                # The erasing comes first: behind a full row it would take the last character.
                text += f"{_ERASE_ROW}{row}\n"
        self._rows = list(rows)
        # Below may stand rows that are gone, or what the person typed.
        return text + _ERASE_BELOW

    def release(self, count: int | None = None) -> None:
        """Leave the first rows, by default all, as they are: they will not be changed any more."""
        self._rows = self._rows[len(self._rows) if count is None else count :]

    def into_last_row(self, column: int) -> str:
        """Move the cursor from below the rows to a column of the last one, for the person to type there."""
        return _UP.format(1) + "\r" + (_RIGHT.format(column) if column else "")

    def typed(self, rows: Sequence[str]) -> None:
        """Take it that the last row takes these now: the terminal has shown what was typed."""
        self._rows[-1:] = list(rows)
