"""Outputs, replies and listings for the tests of views."""

from __future__ import annotations

from kernelway.cli.show.listing import Listing
from kernelway.cli.show.view import Beginning
from kernelway.protocol.execution import Display, Error, ExecuteReply, Lost, Result, Stream
from kernelway.source import Document, chunks

OK = ExecuteReply("ok", 1, {})
FAILED = ExecuteReply("error", 1, {})


def out(text: str) -> Stream:
    return Stream("stdout", text)


def result(text: str) -> Result:
    return Result({"text/plain": text}, {}, 1)


def display(text: str, display_id: str | None = None) -> Display:
    return Display({"text/plain": text}, {}, display_id)


ERROR = Error("ValueError", "no", ["Traceback (most recent call last)", "hello.py:1", "ValueError: no"])


LOST = Lost(1234, "The disk was full.")
LOST_TEXT = "1,234 messages are no longer kept: The disk was full."


def listed(text: str) -> tuple[Listing, list[Beginning]]:
    """The listing of a Python file, and its pieces."""
    document = Document(text, "python")
    pieces = chunks(document)
    beginnings = [
        Beginning(index, piece.code, piece.first_row, piece.last_row) for index, piece in enumerate(pieces)
    ]
    return Listing(document, pieces, start=0), beginnings
