"""The kernelspecs of this machine, as jupyter_client finds them."""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
from pathlib import Path

import msgspec
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from kernelway.protocol.errors import NotFound
from kernelway.protocol.models import KernelSpecModel, KernelSpecs, Spec

log = logging.getLogger(__name__)

_RESOURCES = (".png", ".svg", ".js", ".css", ".jpg", ".gif")
"""What a client may ask of a kernelspec's folder: pictures and styles, not the rest of the disk's files."""


class LocalKernelSpecs:
    """Reads kernelspecs from Jupyter's folders, in a thread, each time: they may be installed meanwhile."""

    def __init__(self, *, default: str | None = None) -> None:
        # ipykernel is a dependency, so its own python3 is there even where no kernelspec was installed.
        self.finder = KernelSpecManager(ensure_native_kernel=True)
        self._default = default

    async def default_name(self) -> str:
        """The kernelspec for requests that name none: the setting's, else ``python3``, else the first."""
        return self._default if self._default is not None else await asyncio.to_thread(self._default_name)

    def _default_name(self) -> str:
        if self._default is not None:
            return self._default
        names = self.finder.find_kernel_specs()
        return "python3" if "python3" in names or not names else min(names)

    async def all(self) -> KernelSpecs:
        """Every kernelspec that can be read; one that cannot is left out, and the log says why."""
        models = await asyncio.to_thread(self._models)
        return KernelSpecs(default=await self.default_name(), kernelspecs=models)

    async def one(self, name: str) -> KernelSpecModel:
        """One kernelspec; :class:`NotFound` names those there are."""
        spec = await self.find(name)
        try:
            return await asyncio.to_thread(_model, name, spec.to_dict(), spec.resource_dir)
        except msgspec.ValidationError as error:
            raise NotFound(_unusable(name, error)) from error

    async def find(self, name: str) -> KernelSpec:
        """jupyter_client's own object for a kernelspec; :class:`NotFound` names those there are."""
        return await asyncio.to_thread(self._find, name)

    def find_now(self, name: str | None) -> tuple[str, KernelSpec]:
        """In the thread that calls this: the kernelspec of that name, or the default one, and its name.

        :class:`NotFound` as for :meth:`find`.
        """
        name = name or self._default_name()
        return name, self._find(name)

    async def resource(self, name: str, file: str) -> Path:
        """The path of a file in a kernelspec's own folder; :class:`NotFound` for anything else."""
        folder = Path((await self.find(name)).resource_dir)
        path = await asyncio.to_thread(_file_in, folder, file)
        if path is None or path.suffix.lower() not in _RESOURCES:
            raise NotFound(f"The kernelspec {name!r} has no resource {file!r}.")
        return path

    def _find(self, name: str) -> KernelSpec:
        known = self.finder.find_kernel_specs()
        if name.lower() not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise NotFound(f"There is no kernelspec {name!r} here; there are: {listed}.")
        try:
            return self.finder.get_kernel_spec(name)
        except NoSuchKernel as error:
            raise NotFound(_unusable(name, "the provisioner it names is not installed here")) from error
        except Exception as error:
            # Whatever may stand in a file goes wrong in its own way.
            raise NotFound(_unusable(name, error)) from error

    def _models(self) -> dict[str, KernelSpecModel]:
        models = {}
        for name, entry in self.finder.get_all_specs().items():
            try:
                models[name] = _model(name, entry["spec"], entry["resource_dir"])
            except msgspec.ValidationError as error:
                log.warning("%s", _unusable(name, error))
        return models


def _unusable(name: str, why: object) -> str:
    return f"The kernelspec {name!r} cannot be used: {why}."


def _file_in(folder: Path, name: str) -> Path | None:
    """The file of that name directly in the folder; a link that leads out of it does not count."""
    try:
        path = (folder / name).resolve()
        return path if path.parent == folder.resolve() and path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        # A name no file can have, or a link that leads to itself.
        return None


def _model(name: str, spec: dict[str, object], folder: str) -> KernelSpecModel:
    return KernelSpecModel(
        name=name, spec=msgspec.convert(spec, Spec), resources=_resources(name, Path(folder))
    )


def _resources(name: str, folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    base = f"/kernelspecs/{urllib.parse.quote(name)}"
    return {
        file.stem if file.stem.startswith("logo-") else file.name: f"{base}/{urllib.parse.quote(file.name)}"
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in _RESOURCES
    }
