"""Putting a host and its gateway together, as ``kernelway serve`` or inside another command."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import platform
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from kernelway.gateway.access import is_loopback
from kernelway.gateway.orders import Orders, encode_orders
from kernelway.gateway.running import beat, running, tls_of, url
from kernelway.host.culler import CullRules
from kernelway.host.host import Host, HostOptions
from kernelway.host.journals import JournalLimits
from kernelway.host.kernel import KernelLimits
from kernelway.host.run import HOST_MARK
from kernelway.host.state import HOST_FOLDERS, note_state_folder
from kernelway.host.supervisor import GatewayStart, Supervisor
from kernelway.protocol.errors import ConfigError
from kernelway.settings import ServeSettings, kernel_environment
from kernelway.transport.api.private import private_application
from kernelway.transport.api.server import serving
from kernelway.transport.folders import runtime_folder, state_folder
from kernelway.transport.listening import listen_on_path, listen_on_port, unlink_path

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
    supervisor: Supervisor | None = None
    """Of the gateway; None where it is in this process."""
    host_socket: Path | None = None
    """The private socket of the host, where the gateway is in a process of its own."""

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
    state: Path | None = None,
) -> AsyncIterator[Service]:
    """Serve while the context is open, with the gateway in a process of its own.

    ``token`` is None where everybody may come in who can reach the listener; ``state`` is the folder of what
    outlives the host. At the end kernels end first, then the gateway; then the listener is closed, and its
    path gone.
    """
    tls_of(settings)  # What cannot be used is told before anything is started.
    with (
        _folder(environ) as folder,
        contextlib.closing(listen_on_path(folder / "host")) as private,
        _unlinked(listener),
        _inheritable(listener) as inherited,
    ):
        if state is not None:
            note_state_folder(state, folder)
        options = _host_options(settings, environ, folder, state)
        path = Path(private.getsockname())
        supervisor = Supervisor(_gateway_start(settings, inherited, token, options, path))
        async with contextlib.AsyncExitStack() as running_ones:
            host = await running_ones.enter_async_context(Host(options))
            await running_ones.enter_async_context(supervisor)
            app = private_application(host, supervisor, beat(settings))
            await running_ones.enter_async_context(serving(app, private))
            # First of all at the end, and the gateway follows once it has heard of it: so clients hear why.
            running_ones.push_async_callback(host.end_kernels)
            yield Service(host, url(settings, listener), token, supervisor, path)


def _gateway_start(
    settings: ServeSettings, listener: int, token: str | None, options: HostOptions, path: Path
) -> GatewayStart:
    orders = Orders(settings=settings, token=token, listener=listener, host_socket=path)
    return GatewayStart(
        orders=encode_orders(orders),
        # The mark by which the guard ends it where the host cannot.
        environ={**options.environ, HOST_MARK: options.mark},
        descriptors=(listener,),
    )


@contextlib.asynccontextmanager
async def embedded(settings: ServeSettings, *, environ: Mapping[str, str]) -> AsyncIterator[Service]:
    """A private gateway inside this process, on a Unix socket that nobody else can reach."""
    with _folder(environ) as folder, contextlib.closing(listen_on_path(folder / "gateway")) as listener:
        private = msgspec.structs.replace(settings, socket=Path(listener.getsockname()))
        options = _host_options(private, environ, folder, None)
        # Its kernels are few and soon gone: nothing that is made ready for them would pay.
        host = Host(dataclasses.replace(options, fork=False, warm=0))
        # The host is left first: clients hear why their kernels end while there still is a gateway to tell.
        async with running(private, host, listener, token=None), host:
            yield Service(host, url(private, listener), None)


@contextlib.contextmanager
def _unlinked(listener: socket.socket) -> Iterator[None]:
    try:
        yield
    finally:
        unlink_path(listener)
        listener.close()


@contextlib.contextmanager
def _inheritable(listener: socket.socket) -> Iterator[int]:
    """A descriptor of the listener that is none of the three which every process has for itself."""
    descriptor = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _folder(environ: Mapping[str, str]) -> Iterator[Path]:
    folder = new_folder(environ)
    try:
        yield folder
    finally:
        # The host has done it already, unless it never came to run.
        shutil.rmtree(folder, ignore_errors=True)


def new_folder(environ: Mapping[str, str]) -> Path:
    """A new private folder with a short path, for one host."""
    return Path(tempfile.mkdtemp(prefix=HOST_FOLDERS, dir=runtime_folder(environ)))


def _host_options(
    settings: ServeSettings, environ: Mapping[str, str], folder: Path, state: Path | None
) -> HostOptions:
    journals = None if state is None or settings.no_journal else state / "journals"
    return HostOptions(
        folder=folder,
        home=settings.root_dir or Path.cwd(),
        environ=kernel_environment(environ),
        default_kernel=settings.default_kernel,
        most_kernels=settings.max_kernels,
        fork=not settings.no_fork,
        preload=settings.preload,
        warm=settings.warm,
        limits=KernelLimits(
            start_timeout=settings.kernel_start_timeout,
            shutdown_wait=settings.kernel_shutdown_wait,
        ),
        cull=CullRules(
            idle_timeout=settings.cull_idle_timeout,
            interval=settings.cull_interval,
            connected=settings.cull_connected,
            busy=settings.cull_busy,
        ),
        journals=journals,
        journal=_journal_limits(settings, on_disk=journals is not None),
    )


def _journal_limits(settings: ServeSettings, *, on_disk: bool) -> JournalLimits:
    limits = JournalLimits(
        per_kernel=settings.journal_size, per_host=settings.journal_total, keep_ended=settings.journal_keep
    )
    # Without a disk, memory alone stands between a burst of output and a client that is a little behind.
    return limits if on_disk else dataclasses.replace(limits, memory=settings.journal_size)
