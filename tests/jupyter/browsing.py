"""A notebook server in the test's own event loop, whose remote kernels are those of one gateway."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tests.jupyter.tabs import Place
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from traitlets import Instance, Unicode
from traitlets.config import Config, LoggingConfigurable

from kernelway.jupyter.notifying import SCHEMA_ID, register
from kernelway.jupyter.websocket import KernelwayWebsocketConnection


class RemoteKernel(LoggingConfigurable):
    kernel_id = Unicode()
    place = Instance(Place)


class KernelManager(AsyncMappingKernelManager):
    """Every kernel that it did not start is at its place."""

    place = Instance(Place)

    def get_kernel(self, kernel_id: str) -> Any:
        if super().__contains__(kernel_id):
            return super().get_kernel(kernel_id)
        return RemoteKernel(parent=self, kernel_id=kernel_id, place=self.place)


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook server; ``url`` ends with a slash."""

    app: ServerApp
    place: Place
    url: str
    events: list[dict[str, Any]] = field(default_factory=list)
    """The notices that it emitted."""

    async def heard(self, logger: object, schema_id: str, data: dict[str, Any]) -> None:
        if schema_id == SCHEMA_ID:
            self.events.append(data)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ClientSession]:
        async with ClientSession(self.url) as http:
            yield http


@asynccontextmanager
async def notebook_server(folder: Path, place: Place, **settings: Any) -> AsyncIterator[Notebook]:
    """A server as ``jupyter server`` makes one, without a token, and without what is about its process."""
    app = ServerApp(log_level=logging.WARNING, config=_config(folder, settings))
    app.init_signal = lambda: None
    app.initialize(argv=[], find_extensions=False, new_httpserver=False)
    app.log.propagate = True
    manager = app.kernel_manager
    assert isinstance(manager, KernelManager)
    manager.place = place
    [listener] = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(app.web_app, max_buffer_size=app.max_buffer_size)
    server.add_socket(listener)
    notebook = Notebook(app, place, f"http://127.0.0.1:{listener.getsockname()[1]}{app.base_url}")
    register(app.event_logger)
    app.event_logger.add_listener(schema_id=None, listener=notebook.heard)
    try:
        yield notebook
    finally:
        await app._cleanup()
        manager.context.destroy(linger=0)
        server.stop()
        await server.close_all_connections()


def _config(folder: Path, settings: dict[str, Any]) -> Config:
    config = Config()
    config.ServerApp.update(
        kernel_manager_class=KernelManager,
        kernel_websocket_connection_class=KernelwayWebsocketConnection,
        ip="127.0.0.1",
        open_browser=False,
        root_dir=str(folder),
        allow_root=True,
        **settings,
    )
    config.IdentityProvider.token = ""
    return config
