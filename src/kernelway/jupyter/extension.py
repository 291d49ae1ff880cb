"""What the extension does to a notebook server: its classes in four places, and a script in its pages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import HasTraits

from kernelway.jupyter import notifying
from kernelway.jupyter.kernels import KernelwayKernelManager
from kernelway.jupyter.kernelspecs import KernelwayKernelSpecManager
from kernelway.jupyter.logos import LOGOS, LogoHandler
from kernelway.jupyter.sessions import KernelwaySessionManager
from kernelway.jupyter.websocket import KernelwayWebsocketConnection

LABEXTENSION: Final = Path(__file__).parent / "labextension"
"""The folder with the script that JupyterLab and Notebook load."""

_FOLDERS: Final = "extra_labextensions_path"
"""The trait of an application that holds the folders of such scripts."""

_CLASSES: Final = {
    "kernel_spec_manager_class": KernelwayKernelSpecManager,
    "kernel_manager_class": KernelwayKernelManager,
    "session_manager_class": KernelwaySessionManager,
    "kernel_websocket_connection_class": KernelwayWebsocketConnection,
}

_WITHOUT: Final = {
    "kernel_spec_manager_class": "the kernelspecs of gateways are not listed; kernels that run there are",
    "kernel_manager_class": "no remote kernels can be used, and kernelway changes nothing",
    "session_manager_class": "notebooks do not find their remote kernels again after this server is started "
    "anew, and sessions that were made elsewhere are not listed",
    "kernel_websocket_connection_class": "no remote kernels can be used, and kernelway changes nothing",
}
"""What does not work where the user has a class of their own."""

_NEEDED: Final = ("kernel_manager_class", "kernel_websocket_connection_class")
"""Without one of these the others are of no use."""

_SECTIONS: Final = ("NotebookApp", "LabApp", "JupyterNotebookApp")
"""Where people configure a notebook server beside its own classes."""


class KernelwayExtension(ExtensionApp):
    """The extension of one notebook server."""

    name = "kernelway"

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        super()._link_jupyter_server_extension(serverapp)
        link(serverapp)

    def initialize_handlers(self) -> None:
        """Answer for the logos of remote kernelspecs."""
        if self._kernels is not None:
            self.handlers.append((LOGOS, LogoHandler))

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Ask the gateways what runs there, so that the first page knows."""
        if self._kernels is not None:
            await self._kernels.assembly.kernels.settled()

    async def stop_extension(self) -> None:
        """Leave the gateways; what runs there goes on."""
        if self._kernels is not None:
            await KernelwayWebsocketConnection.close_remote()
            await self._kernels.assembly.places.aclose()

    @property
    def _kernels(self) -> KernelwayKernelManager | None:
        manager: object = getattr(self.serverapp, "kernel_manager", None)
        return manager if isinstance(manager, KernelwayKernelManager) else None


def link(server: ServerApp) -> None:
    """Put our classes in the places that the user has not filled; the managers are made of them later."""
    taken = {name: own for name in _CLASSES if (own := configured(server, name)) is not None}
    for name, own in taken.items():
        server.log.warning(
            "kernelway leaves ServerApp.%s as it is configured (%s): %s.", name, own, _WITHOUT[name]
        )
    if any(name in taken for name in _NEEDED):
        return
    for name, class_ in _CLASSES.items():
        if name not in taken:
            setattr(server, name, class_)
    # Before any page is there: who listens hears of what the server knows by then.
    if server.event_logger is not None:
        notifying.register(server.event_logger)
    for app in _pages(server):
        _load_script(app)
    # As jupyter_server has it with tornado's own.
    logging.getLogger("kernelway").parent = server.log


def configured(server: ServerApp, name: str) -> str | None:
    """What the user put in the place of one of jupyter_server's classes, by a file or the command line."""
    for section in dict.fromkeys((*server.section_names(), *_SECTIONS)):
        if name in (values := server.config.get(section, {})):
            return _named(values[name])
    return None


def _named(value: object) -> str:
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else str(value)


def _pages(server: ServerApp) -> Iterator[HasTraits]:
    """The applications that load scripts of extensions: JupyterLab, Notebook, and what is built like them."""
    for apps in server.extension_manager.extension_apps.values():
        yield from (app for app in apps if app.has_trait(_FOLDERS))


def _load_script(app: HasTraits) -> None:
    def added(_: object = None) -> None:
        folders = getattr(app, _FOLDERS)
        if str(LABEXTENSION) not in folders:
            setattr(app, _FOLDERS, [*folders, str(LABEXTENSION)])

    # An application that is linked after this one reads its configuration then, which may name other folders.
    app.observe(added, _FOLDERS)
    added()
