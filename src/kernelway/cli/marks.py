"""What the metadata of an execute request tells of its code, as ``{"kernelway": {...}}``.

    path      the path of the file's session, with its user, machine and folder; absent without a file
    range     the first and the last line, from 1
    sha256    of the code, in hexadecimal

A kernel keeps requests, so that what comes back later can be put beside its lines.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kernelway.cli.show.view import Beginning
from kernelway.client.session import own_session_path

_KEY: Final = "kernelway"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where code is from; lines count from 1."""

    path: str
    first: int
    last: int


def marking(piece: Beginning, path: str | None) -> dict[str, Any]:
    """The metadata of the request for a piece of code."""
    told: dict[str, Any] = {
        "range": [piece.first_row + 1, piece.last_row + 1],
        "sha256": hashlib.sha256(piece.code.encode("utf-8", "surrogatepass")).hexdigest(),
    }
    return {_KEY: told if path is None else {"path": path, **told}}


def mark_in(metadata: Mapping[str, Any]) -> Mark | None:
    """Where the code of a request is from, if that is told in a way that can be understood."""
    match metadata.get(_KEY):
        case {"path": str(path), "range": [int(first), int(last)]} if 1 <= first <= last:
            return Mark(path, first, last)
    return None


def file_in(path: str) -> Path | None:
    """The file of a session's path; None where it is another user's, or on another machine."""
    mine = own_session_path("/").rstrip("/")
    return Path(path.removeprefix(mine)) if path.startswith(mine + "/") else None


def shown_file(path: str) -> str:
    """A session's path as its user calls the file: from the current folder where it is in there."""
    file = file_in(path)
    if file is None:
        return path
    for above, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if file.is_relative_to(above):
            return prefix + os.fspath(file.relative_to(above))
    return os.fspath(file)
