"""The saved gateways: ``gateways.json`` in Jupyter's configuration folder, in Hydrogen's own format.

The file may hold tokens, so it is written with mode 0600, whatever it had. One that others can read is still
read, because refusing would only make people work around it; what is wrong is told beside what was read.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jupyter_core.paths

from kernelway.client.entries import SavedGateway, read_entry
from kernelway.client.lock import exclusive
from kernelway.client.names import check_gateway_names
from kernelway.client.options import GatewayOptions
from kernelway.protocol.errors import ConfigError, NotFound

FILE_NAME: Final = "gateways.json"


@dataclass(frozen=True, slots=True)
class SavedGateways:
    """What stands in the file, in its order, and what a person should be told about the file."""

    gateways: tuple[SavedGateway, ...]
    warning: str | None = None


class GatewaysFile:
    """The file itself, by default the user's; it need not be there.

    Everything here blocks the thread, for as long as reading or writing a small file takes.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(jupyter_core.paths.jupyter_config_dir()) / FILE_NAME

    def read(self) -> SavedGateways:
        """All entries; :class:`ConfigError` names the file and what in it does not fit."""
        return SavedGateways(tuple(self._checked(self._text())), self._warning())

    def options(self, name: str, *, environ: Mapping[str, str]) -> GatewayOptions:
        """How to reach the gateway of this name, secrets looked up; :class:`NotFound` lists the names."""
        gateways = {gateway.name: gateway for gateway in self.read().gateways}
        if name not in gateways:
            known = ", ".join(repr(known) for known in gateways) or "none yet"
            raise NotFound(f"No gateway {name!r} is saved in {self.path}; saved: {known}.")
        try:
            return gateways[name].resolve(environ=environ, folder=self.path.parent)
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error

    def add(self, name: str, options: Mapping[str, Any]) -> None:
        """Add an entry at the end; ``options`` are as in the file.

        :class:`ConfigError` where an option does not fit, or where the name, or one too like it, is there.
        """

        def added(entries: list[Any]) -> None:
            entries.append({"name": name, "options": dict(options)})

        self._change(added)

    def remove(self, name: str) -> None:
        """Take an entry out; :class:`NotFound` where there is none of this name."""

        def removed(entries: list[Any]) -> None:
            kept = [entry for entry in entries if entry["name"] != name]
            if len(kept) == len(entries):
                raise NotFound(f"No gateway {name!r} is saved in {self.path}.")
            entries[:] = kept

        self._change(removed)

    def _change(self, change: Callable[[list[Any]], None]) -> None:
        # Somebody's dotfiles may be where the file really is: a link must stay one.
        path = self.path.resolve()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with exclusive(path.with_name(path.name + ".lock")):
                text = self._text()
                self._checked(text)
                entries = _entries(text)
                change(entries)
                changed = json.dumps(entries, indent=_indent(text), ensure_ascii=False) + "\n"
                self._checked(changed)
                _write(path, changed)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error

    def _text(self) -> str:
        try:
            return self.path.read_text("utf-8-sig")
        except FileNotFoundError:
            return "[]"
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.path} is not text in UTF-8.") from error

    def _checked(self, text: str) -> list[SavedGateway]:
        try:
            entries = [read_entry(entry) for entry in _entries(text)]
            check_gateway_names(entry.name for entry in entries)
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error
        return entries

    def _warning(self) -> str | None:
        if os.name != "posix" or not self.path.exists():
            return None
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if not mode & 0o077:
            return None
        return (
            f"{self.path} has mode {mode:04o}, so others may read the tokens in it: `chmod 600` makes it "
            "private, and so does the next change that is made to it here."
        )


def _entries(text: str) -> list[Any]:
    try:
        entries = json.loads(text) if text.strip() else []
    except json.JSONDecodeError as error:
        raise ConfigError(f"Line {error.lineno}, column {error.colno} is no JSON: {error.msg}.") from error
    if not isinstance(entries, list):
        raise ConfigError('It must hold a list, as in [{"name": …, "options": {"baseUrl": …}}].')
    return entries


def _indent(text: str) -> str:
    """What the person indents with."""
    match = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return match[1] if match else "  "


def _write(path: Path, text: str) -> None:
    """Put the text in the place of the file in one step: whoever reads sees the old one or the new one."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")  # Its mode is 0600.
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
