"""Kernelspecs on this machine whose kernels are on a gateway: their command is ``kernelway bridge``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from jupyter_client.kernelspec import KernelSpecManager

from kernelway.client.names import remote_name
from kernelway.protocol.errors import ConfigError, Conflict, InvalidRequest, NotFound
from kernelway.protocol.message import UNREADABLE
from kernelway.protocol.models import KernelSpecModel

_FILE: Final = "kernel.json"

_NOT_OF_THE_BRIDGE: Final = ("kernel_provisioner", "interpreter", "vscode", "kernelway")
"""Metadata that say how a process is started where the kernel is, which nobody here is to do."""

_ENCRYPTION: Final = "supported_encryption"


class Ours(msgspec.Struct, frozen=True):
    """What makes a kernelspec one of ours, under ``kernelway`` in its metadata."""

    place: str
    """The gateway, by the name that it is saved under."""
    kernel: str
    """The kernelspec there."""


class _Metadata(msgspec.Struct, frozen=True):
    kernelway: Ours


class _Document(msgspec.Struct, frozen=True):
    display_name: str
    metadata: _Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A kernelspec of ours that is on this machine."""

    name: str
    display_name: str
    place: str
    kernel: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A kernelspec that is to be installed; ``logos`` are the files beside its ``kernel.json``."""

    name: str
    document: Mapping[str, Any]
    logos: Mapping[str, bytes]


def own_command(executable: str = sys.executable) -> list[str]:
    """How to start this Kernelway from anywhere, with nothing of today's PATH."""
    found = shutil.which("kernelway", path=str(Path(executable).parent))
    return [executable, "-m", "kernelway"] if found is None else [str(Path(found).absolute())]


def installation(
    model: KernelSpecModel,
    place: str,
    *,
    name: str | None = None,
    display_name: str | None = None,
    lease: float | None = None,
    command: Sequence[str],
    logos: Mapping[str, bytes],
) -> Installation:
    """What stands for the kernelspec ``model`` of a gateway; ``command`` is what starts Kernelway.

    By default the names are those that the gateway's kernelspecs have everywhere in Kernelway.
    """
    argv = [*command, "bridge", "--on", place, "--kernel", model.name]
    if lease is not None:
        argv += ["--lease", f"{lease:g}"]
    metadata = {key: value for key, value in model.spec.metadata.items() if key not in _NOT_OF_THE_BRIDGE}
    # What this says is of the sockets, and those are the bridge's.
    metadata[_ENCRYPTION] = ["curve"]
    metadata["kernelway"] = {"place": place, "kernel": model.name}
    document = {
        "argv": [*argv, "-f", "{connection_file}"],
        "display_name": display_name or f"{model.spec.display_name or model.name} · {place}",
        "language": model.spec.language,
        "interrupt_mode": "message",
        "metadata": metadata,
    }
    return Installation(name=name or remote_name(model.name, place), document=document, logos=logos)


class Kernelspecs:
    """The kernelspecs of this machine, as jupyter_client finds them; only ours are changed."""

    def __init__(self, finder: KernelSpecManager | None = None) -> None:
        self._finder = finder or KernelSpecManager()

    def installed(self) -> list[Installed]:
        """Ours, by name; of two with one name the one that is found first."""
        found = (_read(name, Path(folder)) for name, folder in self._finder.find_kernel_specs().items())
        return sorted((each for each in found if each is not None), key=lambda each: each.name)

    def install(self, wanted: Installation, *, prefix: Path | None = None) -> Path:
        """Put it below the prefix, or into the user's own folder; what is there of ours is replaced.

        Raises :class:`Conflict` where somebody else's kernelspec has the name, in whatever folder,
        :class:`InvalidRequest` for a name that none can have, :class:`ConfigError` for a folder that cannot
        be written.
        """
        name = wanted.name.lower()
        target = self._target(name, prefix)
        for folder in {target, Path(self._finder.find_kernel_specs().get(name, target))}:
            if folder.exists() and _read(name, folder) is None:
                raise Conflict(
                    f"There is a kernelspec {name!r} in {folder}, which is not one that Kernelway installed: "
                    "--name gives this one another name."
                )
        with tempfile.TemporaryDirectory() as made:
            source = Path(made) / "kernel"
            _write(source, wanted)
            try:
                self._finder.install_kernel_spec(
                    str(source), name, user=prefix is None, prefix=None if prefix is None else str(prefix)
                )
            except ValueError as error:
                raise InvalidRequest(f"{name!r} cannot be a kernelspec's name: {error}") from error
            except OSError as error:
                raise ConfigError(f"{target} cannot be written: {error.strerror or error}.") from error
        return target

    def is_found(self, name: str, folder: Path) -> bool:
        """Whether Jupyter finds this folder by the name, as this process looks for kernelspecs."""
        found = self._finder.find_kernel_specs().get(name.lower())
        return found is not None and Path(found) == folder

    def find(self, name: str) -> Installed:
        """One of ours; :class:`NotFound`, or :class:`Conflict` where it is not ours."""
        folder = self._finder.find_kernel_specs().get(name.lower())
        if folder is None:
            names = ", ".join(each.name for each in self.installed()) or "none"
            raise NotFound(f"There is no kernelspec {name!r}. Those that Kernelway installed: {names}.")
        found = _read(name.lower(), Path(folder))
        if found is None:
            raise Conflict(
                f"Kernelway did not install the kernelspec {name!r} in {folder}; "
                f"`jupyter kernelspec remove {name}` removes it all the same."
            )
        return found

    def remove(self, installed: Installed) -> None:
        """Take one of ours away; kernels that run are left alone."""
        try:
            if installed.folder.is_symlink():
                installed.folder.unlink()
            else:
                shutil.rmtree(installed.folder)
        except OSError as error:
            raise ConfigError(f"{installed.folder} cannot be removed: {error.strerror or error}.") from error

    def _target(self, name: str, prefix: Path | None) -> Path:
        if prefix is None:
            return Path(self._finder.user_kernel_dir) / name
        return prefix.absolute() / "share" / "jupyter" / "kernels" / name


def _read(name: str, folder: Path) -> Installed | None:
    """A kernelspec, if it is one of ours."""
    try:
        found = msgspec.json.decode((folder / _FILE).read_bytes(), type=_Document)
    except (OSError, *UNREADABLE):
        return None
    ours = found.metadata.kernelway
    return Installed(
        name=name,
        display_name=found.display_name,
        place=ours.place,
        kernel=ours.kernel,
        folder=folder,
    )


def _write(folder: Path, wanted: Installation) -> None:
    folder.mkdir()
    document = msgspec.json.format(msgspec.json.encode(wanted.document), indent=1)
    (folder / _FILE).write_bytes(document + b"\n")
    for name, content in wanted.logos.items():
        (folder / name).write_bytes(content)
