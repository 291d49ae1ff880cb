"""Pictures, on terminals that take them and in files."""

from __future__ import annotations

import base64
import stat
import struct

import pytest
from tests.cli.screen import Screen

from kernelway.cli.show.pictures import AttachmentFolder, drawn
from kernelway.cli.show.representation import Attachment
from kernelway.cli.show.terminal import PictureProtocol


def png(width: int, height: int, *, more: bytes = b"") -> Attachment:
    """The beginning of a PNG, which is as much as anybody here reads."""
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)
    return Attachment("picture", "image/png", header + more)


def test_files_are_private_and_named_after_the_run() -> None:
    folder = AttachmentFolder("analysis")
    first, second = folder.keep(png(1, 1)), folder.keep(Attachment("page", "text/html", b"<p>"))
    try:
        assert (first.name, second.name) == ("analysis-1.png", "analysis-2.html")
        assert first.read_bytes() == png(1, 1).data
        assert stat.S_IMODE(first.stat().st_mode) == 0o600
        assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    finally:
        for path in (first, second):
            path.unlink()
        first.parent.rmdir()


@pytest.mark.parametrize(
    ("size", "keys", "rows"),
    [
        ((640, 480), "c=64,r=24", 24),
        ((100, 100), "c=10,r=5", 5),
        ((2000, 400), "c=76,r=7", 7),
        ((10, 4000), "c=1,r=24", 24),
        ((1, 1), "c=1,r=1", 1),
    ],
)
def test_kitty_gets_a_picture_that_fits(size: tuple[int, int], keys: str, rows: int) -> None:
    escape = drawn(png(*size), PictureProtocol.KITTY, columns=76)
    assert escape is not None
    assert keys in escape
    screen = Screen()
    screen.feed("above\n" + escape + "below")
    assert screen.cursor == (1 + rows, 5)


def test_kitty_gets_large_pictures_in_pieces() -> None:
    picture = png(10, 10, more=bytes(10_000))
    escape = drawn(picture, PictureProtocol.KITTY, columns=76)
    assert escape is not None
    screen = Screen()
    screen.feed(escape)
    headers, data = zip(*(string.split(";") for string in screen.strings), strict=True)
    assert len(data) == 4
    assert [header.endswith("m=1") for header in headers] == [True, True, True, False]
    assert base64.b64decode("".join(data)) == picture.data


def test_iterm_gets_a_picture() -> None:
    picture = png(100, 100)
    escape = drawn(picture, PictureProtocol.ITERM, columns=76)
    assert escape is not None
    assert "width=10;height=5" in escape
    assert base64.b64encode(picture.data).decode() in escape


@pytest.mark.parametrize(
    ("attachment", "protocol"),
    [
        (png(10, 10), PictureProtocol.NONE),
        (Attachment("picture", "image/jpeg", b"\xff\xd8"), PictureProtocol.KITTY),
        (Attachment("picture", "image/png", b"\x89PNG\r\n\x1a\n"), PictureProtocol.KITTY),
        (png(0, 10), PictureProtocol.ITERM),
    ],
)
def test_what_cannot_be_drawn_is_a_file(attachment: Attachment, protocol: PictureProtocol) -> None:
    assert drawn(attachment, protocol, columns=76) is None
