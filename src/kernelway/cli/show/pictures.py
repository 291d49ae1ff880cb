"""Pictures: on the terminal where it takes them, and in a file otherwise."""

from __future__ import annotations

import base64
import struct
import tempfile
from pathlib import Path
from typing import Final

from kernelway.cli.show.representation import Attachment
from kernelway.cli.show.terminal import PictureProtocol

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_CELL: Final = (10, 20)
"""Pixels of a terminal's cell, about: what matters is that pictures have a sensible size."""
_MOST_ROWS: Final = 24
_KITTY_CHUNK: Final = 4096


class AttachmentFolder:
    """A private folder, made when the first file goes there; it stays, for the person to look at."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._path: Path | None = None
        self._count = 0

    def keep(self, attachment: Attachment) -> Path:
        """Write a file, and where it is."""
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix="kernelway-"))
        self._count += 1
        path = self._path / f"{self._name}-{self._count}{attachment.suffix}"
        path.write_bytes(attachment.data)
        path.chmod(0o600)
        return path


def drawn(attachment: Attachment, protocol: PictureProtocol, *, columns: int) -> str | None:
    """What draws a picture from the cursor on, in so many columns at most, and ends on the row below it.

    None where it can only be a file.
    """
    size = _png_size(attachment.data)
    if protocol is PictureProtocol.NONE or size is None:
        return None
    wide, high = max(size[0] / _CELL[0], 1), max(size[1] / _CELL[1], 1)
    scale = min(1, columns / wide, _MOST_ROWS / high)
    cells = (max(int(wide * scale), 1), max(int(high * scale), 1))
    data = base64.b64encode(attachment.data).decode()
    draw = _kitty if protocol is PictureProtocol.KITTY else _iterm
    return draw(data, *cells)


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, from the header of a PNG; both protocols take that format."""
    if not data.startswith(_PNG) or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if width and height else None


def _kitty(data: str, columns: int, rows: int) -> str:
    chunks = [data[start : start + _KITTY_CHUNK] for start in range(0, len(data), _KITTY_CHUNK)]
    # C=1 leaves the cursor where it is, so that the rows below it can be counted.
    keys = f"a=T,f=100,C=1,q=2,c={columns},r={rows},"
    escape = ""
    for index, chunk in enumerate(chunks):
        more = int(index < len(chunks) - 1)
        escape += f"\x1b_G{keys if index == 0 else ''}m={more};{chunk}\x1b\\"
    return escape + "\n" * rows


def _iterm(data: str, columns: int, rows: int) -> str:
    return f"\x1b]1337;File=inline=1;width={columns};height={rows};preserveAspectRatio=1:{data}\x07\n"
