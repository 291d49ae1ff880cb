"""Whether the extension is on, as ``jupyter server extension`` writes it down: both commands agree."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final, Protocol

from jupyter_core.paths import ENV_CONFIG_PATH, jupyter_config_dir, jupyter_config_path
from jupyter_server.extension.config import ExtensionConfigManager
from jupyter_server.extension.manager import ExtensionPackage
from jupyter_server.extension.utils import (
    ExtensionLoadingError,
    ExtensionMetadataError,
    ExtensionModuleNotFound,
)

from kernelway.jupyter import EXTENSION
from kernelway.protocol.errors import ConfigError

_WRITTEN_IN: Final = "jupyter_server_config.d"

_FRONTS: Final = ("jupyter_server", "jupyterlab", "notebook", "nbclassic")
"""What the extension is for, as their distributions are called."""


class _Configuration(Protocol):
    """jupyter_server's ExtensionConfigManager, which has no types."""

    def enable(self, name: str) -> None: ...

    def disable(self, name: str) -> None: ...

    def get_jpserver_extensions(self) -> Mapping[str, object]: ...


class _Package(Protocol):
    """jupyter_server's ExtensionPackage."""

    def validate(self) -> bool: ...


class Level(StrEnum):
    """For whom it is on."""

    USER = "user"
    """For this user, whatever Python they use."""
    SYS_PREFIX = "sys-prefix"
    """For whoever uses this Python environment."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one of Jupyter's configuration folders says of the extension."""

    folder: Path
    on: bool


def folder_of(level: Level) -> Path:
    """The configuration folder of a level."""
    return Path(jupyter_config_dir() if level is Level.USER else ENV_CONFIG_PATH[0])


def turn(folder: Path, *, on: bool) -> Path:
    """Switch the extension on or off in a configuration folder; the file that says so.

    :class:`ConfigError` where that cannot be written.
    """
    file = folder / _WRITTEN_IN / f"{EXTENSION}.json"
    manager = _manager(folder)
    try:
        if on:
            manager.enable(EXTENSION)
        else:
            manager.disable(EXTENSION)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}.") from error
    return file


def said() -> list[Said]:
    """What the configuration folders say, the one that counts first."""
    return list(_said(Path(folder) for folder in jupyter_config_path()))


def _said(folders: Iterator[Path]) -> Iterator[Said]:
    for folder in dict.fromkeys(folders):
        found = _manager(folder).get_jpserver_extensions().get(EXTENSION)
        if found is not None:
            yield Said(folder, on=bool(found))


def fault() -> str | None:
    """Why jupyter_server could not load the extension; None where it can."""
    try:
        make: Callable[..., _Package] = ExtensionPackage
        package = make(name=EXTENSION, enabled=True, log=logging.getLogger(__name__))
    except (ImportError, ExtensionModuleNotFound, ExtensionMetadataError, ExtensionLoadingError) as error:
        return str(error)
    return None if package.validate() else "jupyter_server finds no extension in it."


def versions() -> dict[str, str | None]:
    """The versions of what the extension is for; None for what is not installed."""
    return {name: _version(name) for name in _FRONTS}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _manager(folder: Path) -> _Configuration:
    make: Callable[..., _Configuration] = ExtensionConfigManager
    return make(read_config_path=[str(folder)], write_config_dir=str(folder / _WRITTEN_IN))
