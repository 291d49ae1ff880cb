"""Which of an output's representations a terminal shows.

The order is that of richness among what a terminal can show: pictures, then the text that the object itself
chose, then the sources of Markdown and LaTeX, then the text in HTML. Many objects have only a placeholder as
their plain text (``<IPython.core.display.HTML object>``), which says less than any of these.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from kernelway.protocol.execution import MimeBundle

_PLAIN: Final = "text/plain"
_PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_SOURCES: Final = ("text/markdown", "text/latex")
_PLOTS: Final = re.compile(r"application/vnd\.(?:vega(?:lite)?|plotly)\.v[\d.]+\+json")
_PLACEHOLDER: Final = re.compile(
    r"<[\w.]+(?: object)?(?: at 0x[0-9a-f]+)?>|<Figure size [^>]*>", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Text:
    """Text to show as it is; it may hold escape sequences and end with a line end."""

    text: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is no text: a picture, or a page for a browser; ``name`` says in a word what it is."""

    name: str
    mime: str
    data: bytes

    @property
    def suffix(self) -> str:
        """What its file's name ends with."""
        kind = self.mime.rpartition("/")[2].partition("+")[0]
        if _PLOTS.fullmatch(self.mime):
            return ".json"
        return {"jpeg": ".jpg", "html": ".html"}.get(kind, f".{kind}")


Representation: TypeAlias = Text | Attachment


def represent(data: MimeBundle) -> Representation:
    """What to show of an output; text of nothing for an empty one."""
    for mime in _PICTURES:
        if mime in data and (picture := _picture(mime, data[mime])) is not None:
            return picture
    plain = _text(data.get(_PLAIN))
    plots = [mime for mime in data if _PLOTS.fullmatch(mime)]
    if plots:
        return Attachment("plot", plots[0], json.dumps(data[plots[0]]).encode())
    if plain and not _PLACEHOLDER.fullmatch(plain.strip()):
        return Text(plain)
    return _source(data) or Text(plain or _named(data))


def _source(data: MimeBundle) -> Representation | None:
    for mime in _SOURCES:
        if source := _text(data.get(mime)):
            return Text(source)
    if html := _text(data.get("text/html")):
        # Few outputs have no other text, and reading HTML takes a parser.
        from kernelway.cli.show.html_text import text_of_html

        readable = text_of_html(html)
        return Text(readable) if readable else Attachment("page", "text/html", html.encode())
    if "application/json" in data:
        return Text(json.dumps(data["application/json"], indent=2, ensure_ascii=False))
    return None


def _picture(mime: str, value: object) -> Attachment | None:
    text = _text(value)
    if mime.endswith("+xml"):
        return Attachment("picture", mime, text.encode()) if text else None
    try:
        return Attachment("picture", mime, base64.b64decode("".join(text.split()), validate=True))
    except binascii.Error:
        return None


def _text(value: object) -> str:
    """Text, which notebooks and some kernels write as a list of lines."""
    if isinstance(value, list):
        return "".join(str(line) for line in value)
    return value if isinstance(value, str) else ""


def _named(data: MimeBundle) -> str:
    return f"[{', '.join(data)}]" if data else ""
