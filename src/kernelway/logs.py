"""Where log lines go and what they look like; a token in one is replaced before it is written."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from kernelway.settings import LogFormat, LogLevel

_TOKEN = re.compile(r"(?i)(token=|authorization['\"]?: ?['\"]?\w+ )[^\s&'\"]+")

_LONG = 8
"""Characters; a secret of so many is part of no word."""


class _Redacted(logging.Formatter):
    """Formats a record, traceback included, and hides what must not be read."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(message)s")
        self._secrets = re.compile("|".join(_pattern(secret) for secret in secrets if secret) or r"(?!)")

    def redacted(self, record: logging.LogRecord) -> str:
        return self._secrets.sub("[hidden]", _TOKEN.sub(r"\1[hidden]", super().format(record)))


def _pattern(secret: str) -> str:
    # A short one, such as "x", is hidden as a word only: else it would be hidden in every other.
    exact = re.escape(secret)
    return exact if len(secret) >= _LONG else rf"(?<!\w){exact}(?!\w)"


class TextLines(_Redacted):
    """``2026-11-20 18:30:00 W kernel: …``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and more for a traceback."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        name = record.name.rpartition(".")[2]
        return f"{moment:%Y-%m-%d %H:%M:%S} {record.levelname[0]} {name}: {self.redacted(record)}"


class JsonLines(_Redacted):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger`` and ``message``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.redacted(record),
        }
        return msgspec.json.encode(line).decode()


def configure(
    *, level: LogLevel, format_: LogFormat, secrets: Sequence[str] = (), stream: TextIO | None = None
) -> None:
    """Send this process's log to ``stream`` (stderr); to be called once, by the command that owns it."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(secrets) if format_ is LogFormat.JSON else TextLines(secrets))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("kernelway").setLevel(level.upper())
    if level is not LogLevel.DEBUG:
        # jupyter_client logs the traceback of a failed start, which is told in one sentence by ourselves.
        logging.getLogger("kernelway.host.run.launcher").setLevel(logging.CRITICAL)
        logging.getLogger("traitlets").setLevel(logging.CRITICAL)
