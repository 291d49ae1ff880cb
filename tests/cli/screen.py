"""What a terminal shows of the text that is written to it, as far as the command line draws."""

from __future__ import annotations

import re

from kernelway.source.terminal import width

_SEQUENCE = re.compile(
    r"\x1b\[(?P<parameters>[\d;?]*)(?P<final>[A-Za-z])"
    r"|\x1b[\]_P](?P<string>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|(?P<plain>[^\x1b\r\n\x08\x07]+)"
    r"|(?P<control>[\r\n\x08\x07])"
)


class Screen:
    """Rows of characters with everything that scrolled off above them; the cursor cannot reach that."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns = columns
        self.rows = rows
        self.strings: list[str] = []
        """Operating system commands and the like: pictures, titles, links."""
        self._lines: list[list[str]] = [[]]
        self._row = 0
        self._column = 0
        self._rest = ""

    @property
    def lines(self) -> list[str]:
        """Everything from the first line on, without blanks and blank lines at the ends."""
        lines = ["".join(line).rstrip() for line in self._lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def cursor(self) -> tuple[int, int]:
        """Its line, from the first one ever on, and its column."""
        return self._row, self._column

    def feed(self, text: str) -> None:
        text = self._rest + text
        position = 0
        while position < len(text):
            match = _SEQUENCE.match(text, position)
            if match is None:
                # A sequence that has not ended yet.
                break
            self._take(match)
            position = match.end()
        self._rest = text[position:]

    def _take(self, match: re.Match[str]) -> None:
        if match["plain"] is not None:
            for character in match["plain"]:
                self._put(character)
        elif match["string"] is not None:
            self.strings.append(match["string"])
        elif match["control"] is not None:
            self._control(match["control"])
        else:
            self._escape(match["final"], match["parameters"])

    def _put(self, character: str) -> None:
        taken = width(character)
        if self._column + taken > self.columns:
            self._down()
            self._column = 0
        line = self._lines[self._row]
        line += [" "] * (self._column - len(line))
        line[self._column : self._column + taken] = [character, *[""] * (taken - 1)]
        self._column += taken

    def _control(self, character: str) -> None:
        if character == "\n":
            # As the line discipline has it: a line end begins a new line.
            self._down()
            self._column = 0
        elif character == "\r":
            self._column = 0
        elif character == "\b":
            self._column = max(self._column - 1, 0)

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])

    def _escape(self, final: str, parameters: str) -> None:
        count = int(parameters) if parameters.isdigit() else 1
        if final == "A":
            top = max(len(self._lines) - self.rows, 0)
            self._row = max(self._row - count, top)
        elif final == "C":
            self._column = min(self._column + count, self.columns - 1)
        elif final == "D":
            self._column = max(self._column - count, 0)
        elif final == "K":
            del self._lines[self._row][self._column :]
        elif final == "J":
            del self._lines[self._row][self._column :]
            del self._lines[self._row + 1 :]
        else:
            # Colours, and modes such as that in which what is pasted is marked.
            assert final in "mhl", f"the screen does not know the sequence {final!r}"
