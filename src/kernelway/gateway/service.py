"""Putting a host and its gateway together, as ``kernelway serve`` or inside another command."""

from __future__ import annotations

import contextlib
import platform
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from kernelway.gateway.access import AccessRules, is_loopback
from kernelway.gateway.application import application
from kernelway.host.culler import CullRules
from kernelway.host.host import Host, HostOptions
from kernelway.host.kernel import KernelLimits
from kernelway.protocol.errors import ConfigError
from kernelway.settings import ServeSettings, kernel_environment
from kernelway.transport.api.server import serving, url_of
from kernelway.transport.folders import runtime_folder, state_folder
from kernelway.transport.listening import listen_on_path, listen_on_port
from kernelway.transport.tls import server_context

_VISIBLE = re.compile(r"[!-~]*")
"""What goes through a header and a URL alike, whoever sends it."""

_STRANGE = re.compile(r"[^A-Za-z0-9._~@/-]")


@dataclass(frozen=True, slots=True)
class Service:
    """A gateway that serves, and its host."""

    host: Host
    url: str
    """Without the token."""
    token: str | None

    @property
    def url_with_token(self) -> str:
        """What a person pastes into a client."""
        return self.url if self.token is None else f"{self.url}?token={quote(self.token, safe='')}"


def check(settings: ServeSettings) -> None:
    """Raise :class:`ConfigError` for settings that do not go together."""
    if settings.token == "" and not settings.no_auth:
        raise ConfigError("An empty token lets everybody in: if that is meant, say --no-auth.")
    if settings.token is not None and not _VISIBLE.fullmatch(settings.token):
        raise ConfigError("A token has letters, digits and signs of ASCII only, and no blanks.")
    if _STRANGE.search(unquote(settings.base_url)):
        raise ConfigError(
            f"--base-url {settings.base_url}: a path has letters, digits and -._~@ between slashes."
        )
    reachable = settings.socket is None and not is_loopback(settings.ip)
    if settings.no_auth and reachable and not settings.insecure:
        raise ConfigError(
            "--no-auth would let everybody run code as you who can reach "
            f"{settings.ip or 'any address of this machine'}. "
            "Leave it out, listen on 127.0.0.1, or add --insecure to insist."
        )
    for name in ("keyfile", "client_ca"):
        if getattr(settings, name) is not None and settings.certfile is None:
            raise ConfigError(f"--{name.replace('_', '-')} needs --certfile beside it.")


def default_state_folder(listener: socket.socket) -> Path:
    """The state folder of a gateway that listens here, where none was named."""
    address = listener.getsockname()
    name = Path(address).stem if listener.family == socket.AF_UNIX else str(address[1])
    return state_folder(platform.node() or "localhost", name)


def listen(settings: ServeSettings) -> socket.socket:
    """The listening socket that the settings ask for."""
    if settings.socket is not None:
        return listen_on_path(settings.socket)
    return listen_on_port(settings.ip, settings.port, retries=settings.port_retries)


@contextlib.asynccontextmanager
async def service(
    settings: ServeSettings,
    listener: socket.socket,
    *,
    token: str | None,
    environ: Mapping[str, str],
    folder: Path | None = None,
) -> AsyncIterator[Service]:
    """Serve while the context is open; at its end kernels end first, then the gateway.

    ``token`` is None where everybody may come in who can reach the listener. ``folder`` is private, has a
    short path, and is removed at the end; without one, one is made.
    """
    base_url = _base_url(settings.base_url)
    tls = None
    if settings.certfile is not None:
        tls = server_context(
            certfile=settings.certfile, keyfile=settings.keyfile, client_ca=settings.client_ca
        )
    rules = AccessRules(
        token=token,
        on_loopback=settings.socket is None and is_loopback(settings.ip),
        allow_origin=tuple(origin.rstrip("/").lower() for origin in settings.allow_origin),
        allow_host=tuple(name.lower() for name in settings.allow_host),
    )
    folder = folder or new_folder(environ)
    try:
        host = Host(_host_options(settings, environ, folder))
        app = application(host, rules=rules, base_url=base_url, max_message_size=settings.max_message_size)
        # The host is left first: clients hear why their kernels end while there still is a gateway to tell.
        async with serving(app, listener, tls=tls), host:
            url = url_of(listener, ip=settings.ip, base_url=base_url, tls=tls is not None)
            yield Service(host, url, token)
    finally:
        # The host has done it already, unless it never came to run.
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def embedded(settings: ServeSettings, *, environ: Mapping[str, str]) -> AsyncIterator[Service]:
    """A private gateway inside this process, on a Unix socket that nobody else can reach."""
    folder = new_folder(environ)
    path = folder / "gateway"
    private = msgspec.structs.replace(settings, socket=path)
    with contextlib.closing(listen_on_path(path)) as listener:
        async with service(private, listener, token=None, environ=environ, folder=folder) as inside:
            yield inside


def new_folder(environ: Mapping[str, str]) -> Path:
    """A new private folder with a short path, for one host."""
    return Path(tempfile.mkdtemp(prefix="h-", dir=runtime_folder(environ)))


def _host_options(settings: ServeSettings, environ: Mapping[str, str], folder: Path) -> HostOptions:
    return HostOptions(
        folder=folder,
        home=settings.root_dir or Path.cwd(),
        environ=kernel_environment(environ),
        default_kernel=settings.default_kernel,
        most_kernels=settings.max_kernels,
        limits=KernelLimits(
            start_timeout=settings.kernel_start_timeout,
            shutdown_wait=settings.kernel_shutdown_wait,
            client_buffer=settings.client_buffer,
        ),
        cull=CullRules(
            idle_timeout=settings.cull_idle_timeout,
            interval=settings.cull_interval,
            connected=settings.cull_connected,
            busy=settings.cull_busy,
        ),
    )


def _base_url(text: str) -> str:
    return "/" + "".join(f"{part}/" for part in text.split("/") if part)
