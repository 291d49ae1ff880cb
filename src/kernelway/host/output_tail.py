"""The end of what a kernel's process wrote to its own stdout and stderr."""

from __future__ import annotations

import asyncio
import os
import re

_KEPT = 16 * 1024
"""Bytes kept; a kernel that writes more for years costs no more than this."""

_TOLD = 4 * 1024
"""Characters told; a reason is read by people, and some programs write lines without end."""

_READ = 64 * 1024

_BESIDE_THE_POINT = re.compile(
    r"""
      Kernel\ is\ running\ over\ TCP\ without\ encryption   # ipykernel; loopback TCP is what it was given
    | frozen\ modules | debugger\ miss\ breakpoints         # debugpy, on debugging the standard library
    | PYDEVD_DISABLE_FILE_VALIDATION
    """,
    re.VERBOSE,
)

_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Colours, and what else may do things to the terminal in which somebody reads a reason."""


class OutputTail:
    """The reading end of a pipe whose ``writer`` is handed to a process as its stdout and stderr."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reader, self._read)
        self._open = True

    def close_writer(self) -> None:
        """To be called once the process has its own copy of the writing end."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Take what is there and stop; closing twice is no error."""
        self.close_writer()
        self._read()
        if self._open:
            self._stop()

    def text(self, *, lines: int = 20) -> str:
        """The last lines, without those that never explain anything; nothing that steers a terminal."""
        self._read()
        decoded = _CONTROLS.sub("", self._kept.decode("utf-8", "replace")).splitlines()
        telling = [line for line in decoded if line.strip() and not _BESIDE_THE_POINT.search(line)]
        return "\n".join(telling[-lines:])[-_TOLD:]

    def _read(self) -> None:
        # As much as a pipe holds unless somebody made it larger: what a process wrote before its end is here.
        if not self._open:
            return
        try:
            chunk = os.read(self._reader, _READ)
        except BlockingIOError:
            return
        if not chunk:
            self._stop()
            return
        self._kept += chunk
        del self._kept[:-_KEPT]

    def _stop(self) -> None:
        self._open = False
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
