"""Which places there are to be: what the file, the settings and this machine say now."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from kernelway.client.entries import SavedGateway
from kernelway.client.local import local_place
from kernelway.client.names import gateway_label
from kernelway.client.options import UNIX_PREFIX, GatewayOptions
from kernelway.client.saved import GatewaysFile
from kernelway.jupyter.naming_gateways import NamedGateway
from kernelway.protocol.errors import ConfigError

LOCAL: Final = "local"
"""The name of this machine's own gateway, unless a saved one has it."""

_log = logging.getLogger(__name__)

_Mark: TypeAlias = tuple[int, int, int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A place to be; one that is equal to a former one is the same place."""

    name: str
    source: SavedGateway | NamedGateway | Path
    """What says so: an entry of the file, a setting, or the socket of this machine's own gateway."""
    options: Callable[[], GatewayOptions] = field(compare=False)
    """Blocks where a secret has to be looked up; raises :class:`ConfigError` where there is none."""
    is_here: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it is this machine's own gateway."""
        return isinstance(self.source, Path)


class WantedPlaces:
    """Looks again whenever it is asked; nothing here waits for a gateway, or starts one.

    A file that cannot be read, or does not fit, leaves the saved gateways as they were. The log says so,
    once for each change of the file.
    """

    def __init__(
        self, environ: Mapping[str, str], *, file: GatewaysFile, named: Sequence[NamedGateway]
    ) -> None:
        self._environ = environ
        self._file = file
        self._named = tuple(named)
        for gateway in self._named:
            if not gateway.options.validate_cert:
                _log.warning(
                    "The settings say that the certificate of %s is not to be looked at: whoever stands in "
                    "between can read and change everything. A saved gateway can have its fingerprint.",
                    gateway.name,
                )
        self._socket = _own_socket(environ)
        self._looked = False
        self._mark: _Mark = None
        self._saved: tuple[SavedGateway, ...] = ()

    def look(self) -> tuple[Wanted, ...]:
        """The places in their order; their names make different labels."""
        self._read()
        wanted = [self._from_file(entry) for entry in self._saved]
        names = {gateway_label(each.name) for each in wanted}
        urls = {str(entry.options.get("baseUrl")).rstrip("/") for entry in self._saved}
        for gateway in self._named:
            url = gateway.options.base_url.rstrip("/")
            if url in urls:
                continue
            urls.add(url)
            wanted.append(_from_settings(gateway, names))
        if self._socket is not None and self._socket.exists():
            local = _from_socket(self._socket)
            if local.name not in names and local.options().base_url not in urls:
                wanted.append(local)
        return tuple(wanted)

    def _read(self) -> None:
        mark = _mark(self._file.path)
        if self._looked and mark == self._mark:
            return
        self._looked, self._mark = True, mark
        try:
            saved = self._file.read()
        except ConfigError as error:
            _log.warning("%s The saved gateways stay as they were until it is mended.", error)
            return
        if saved.warning is not None:
            _log.warning("%s", saved.warning)
        self._saved = saved.gateways

    def _from_file(self, entry: SavedGateway) -> Wanted:
        url = str(entry.options.get("baseUrl"))
        return Wanted(
            name=entry.name,
            source=entry,
            options=partial(entry.resolve, environ=self._environ, folder=self._file.path.parent),
            is_here=url.startswith(UNIX_PREFIX) and entry.options.get("ssh") is None,
        )


def _from_settings(gateway: NamedGateway, names: set[str]) -> Wanted:
    """The place of a gateway that settings name, under a name whose label is not among these; it is added."""
    name = next(each for each in _names_like(gateway.name) if gateway_label(each) not in names)
    names.add(gateway_label(name))
    return Wanted(name=name, source=gateway, options=lambda: gateway.options, env=gateway.env)


def _names_like(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1


def _from_socket(socket: Path) -> Wanted:
    options = GatewayOptions(base_url=f"{UNIX_PREFIX}{socket}")
    return Wanted(name=LOCAL, source=socket, options=lambda: options, is_here=True)


def _own_socket(environ: Mapping[str, str]) -> Path | None:
    if sys.platform == "win32":
        return None
    try:
        return local_place(environ).socket
    except (ConfigError, OSError) as error:
        _log.warning("The gateway of this machine is left out: %s", error)
        return None


def _mark(path: Path) -> _Mark:
    """What differs after a change of the file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
