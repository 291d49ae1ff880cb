"""Requests to one gateway: its base URL, credentials, TLS and tunnel in one place."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import MappingProxyType, NoneType, TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

import aiohttp
import msgspec
from aiohttp.client_middlewares import ClientHandlerType
from multidict import CIMultiDict
from yarl import URL

from kernelway import __version__
from kernelway.client import answers
from kernelway.client.address import Address, address_of, remote_end, shown, tunnelled
from kernelway.client.answers import Answer, Peer
from kernelway.client.failures import broken
from kernelway.client.login import PasswordLogin
from kernelway.client.options import GatewayOptions, parse_destination
from kernelway.client.pulse import NO_HEARTBEAT, WatchedWebSocket
from kernelway.protocol.errors import (
    ConfigError,
    KernelwayError,
    LinkLost,
    NotJupyter,
    Unreachable,
    WrongCredentials,
)
from kernelway.transport.tls import client_context, parse_fingerprint, shown_certificate

if TYPE_CHECKING:
    from kernelway.client.tunnel import Tunnel

T = TypeVar("T")

MOST_BYTES: Final = 64 * 2**20
"""Bytes of an answer; the longest that Jupyter's REST API gives are lists of a few hundred kilobytes."""

_PROBE_TIMEOUT: Final = 5.0
_NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})
_JSON: Final = {"Content-Type": "application/json"}


class HttpClient:
    """Requests to one gateway; every failure is an error of :mod:`kernelway.protocol.errors`.

    Entering makes the ssh tunnel and logs in with the password, where the options have one; it sends nothing
    otherwise. Redirects are never followed: whatever a request carries goes to the configured address alone.
    Paths are relative to the base URL, not percent-encoded, and without a leading slash.

    ``ssh_command`` is the ssh of the tunnel, with options that come before ours.
    """

    def __init__(self, options: GatewayOptions, *, ssh_command: Sequence[str] = ("ssh",)) -> None:
        self.options = options
        self._address = address_of(options)
        self._ssh_command = ssh_command
        self._resources = AsyncExitStack()
        self._tunnel: Tunnel | None = None
        self._login: PasswordLogin | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | bool = True
        self._answered = False
        self.peer = Peer(
            shown=shown(options),
            credential=_credential(options),
            secure=self._address.secure,
            # Less than the deadline of all, so that a missing connection can be told from a missing answer.
            connect_timeout=min(options.connect_timeout, options.timeout / 2),
            timeout=options.timeout,
        )
        """How messages speak of the other side."""
        self._ws_peer = self.peer
        if options.ws_url is not None:
            secure = self._address.ws_base.scheme == "wss"
            self._ws_peer = replace(self.peer, shown=options.ws_url, secure=secure)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as resources:
            await self._open(resources)
            self._resources = resources.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        answer: type[T],
        body: object = None,
        query: Mapping[str, str] = _NO_QUERY,
    ) -> T:
        """The answer of a request, decoded and checked; ``NoneType`` where there is none (204).

        ``body`` is what msgspec can encode to JSON. Cancelling gives the request up; whether the server has
        acted on it by then is not known, as it is not where LinkLost or TimedOut is raised.
        """
        data = None if body is None else msgspec.json.encode(body)
        got = await self._logged_in(lambda: self._request(method, path, query, data))
        if answer is NoneType and "html" not in got.content_type:
            return cast("T", None)
        try:
            return msgspec.json.decode(got.data, type=answer)
        except msgspec.ValidationError as error:
            raise answers.not_jupyter(got, self.peer, answers.plain(str(error))) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise answers.not_jupyter(got, self.peer) from error

    async def fetch(self, path: str) -> bytes:
        """The bytes of a resource, such as a kernelspec's logo."""
        return (await self._logged_in(lambda: self._request("GET", path))).data

    async def websocket(
        self,
        path: str,
        *,
        query: Mapping[str, str],
        subprotocols: Sequence[str],
    ) -> WatchedWebSocket:
        """An open WebSocket, which the caller closes, and watches with :mod:`kernelway.client.pulse`.

        Frames are not compressed, which would cost more time than it saves on any link that Jupyter is used
        on, and their size is not bounded: Jupyter bounds no output, a frame is one output, and refusing it
        would end the connection and come again on the next one. What bounds them is the server's own limit.
        """
        return await self._logged_in(lambda: self._upgrade(path, query, subprotocols))

    async def _open(self, resources: AsyncExitStack) -> None:
        options = self.options
        if self._address.ws_base.scheme == "wss" or self._address.secure:
            self._tls = client_context(
                ca_file=options.ca_file,
                client_cert=options.client_cert,
                client_key=options.client_key,
                # A pinned certificate is compared by the connector; without validation nothing is.
                pinned=options.fingerprint is not None or not options.validate_cert,
            )
        way = self._address
        if sys.platform == "win32" and way.unix_path is not None and options.ssh is None:
            raise ConfigError(
                f"Python reaches no Unix sockets on Windows, so {self.peer.shown} cannot be used."
            )
        if options.ssh is not None:
            from kernelway.client.tunnel import Tunnel

            tunnel = Tunnel(
                parse_destination(options.ssh),
                remote=remote_end(way),
                over_unix=not way.secure,
                command=self._ssh_command,
            )
            self._tunnel = await resources.enter_async_context(tunnel)
            way = await self._way()
        jar = aiohttp.CookieJar(unsafe=True)  # "Unsafe" means that a host may be an IP address.
        self._session = aiohttp.ClientSession(
            connector=_connector(way, options.fingerprint),
            headers=_headers(options),
            cookie_jar=jar,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=options.timeout, sock_connect=self.peer.connect_timeout),
            middlewares=(self._check_upgrade,),
            ws_response_class=WatchedWebSocket,
        )
        await resources.enter_async_context(self._session)
        if options.password is not None:
            self._login = PasswordLogin(options.password, options.user, jar=jar)
            await self._login.renew(self._login.generation, self._fill_in, self.peer)

    async def _way(self) -> Address:
        if self._tunnel is None:
            return self._address
        local = await self._tunnel.ready(deadline=self.options.timeout)
        path = None if local.path is None else str(local.path)
        return tunnelled(self._address, unix_path=path, port=local.port)

    async def _logged_in(self, request: Callable[[], Awaitable[T]]) -> T:
        """Log in again, once, where the login has run out; a refused request has done nothing yet."""
        login = self._login
        if login is None:
            return await request()
        generation = login.generation
        try:
            return await request()
        except WrongCredentials:
            await login.renew(generation, self._fill_in, self.peer)
        return await request()

    async def _fill_in(self, method: str, path: str, form: Mapping[str, str] | None) -> Answer:
        return await self._exchange(method, path, _NO_QUERY, None if form is None else aiohttp.FormData(form))

    async def _request(
        self, method: str, path: str, query: Mapping[str, str] = _NO_QUERY, data: bytes | None = None
    ) -> Answer:
        answer = await self._exchange(method, path, query, data)
        if not 200 <= answer.status < 300:
            raise answers.refusal(answer, self.peer)
        return answer

    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str], data: bytes | aiohttp.FormData | None
    ) -> Answer:
        """One request and its answer, whatever its status."""
        way = await self._way()
        url = way.request_url(path, query)
        try:
            async with self._running().request(
                method,
                url,
                data=data,
                headers=self._own_headers(way, url) | (_JSON if isinstance(data, bytes) else {}),
                allow_redirects=False,
                ssl=self._tls,
                server_hostname=way.server_hostname,
            ) as response:
                self._answered = True
                return await self._read(response)
        except (aiohttp.ClientError, OSError) as error:
            # What aiohttp raises may hold the request's headers, and a log of it the token.
            raise await self._explain(error, self.peer, url, way) from None

    async def _upgrade(
        self, path: str, query: Mapping[str, str], subprotocols: Sequence[str]
    ) -> WatchedWebSocket:
        way = await self._way()
        url = way.websocket_url(path, query)
        try:
            opened = await self._running().ws_connect(
                url,
                protocols=subprotocols,
                headers=self._own_headers(way, url),
                timeout=aiohttp.ClientWSTimeout(ws_close=5.0),
                heartbeat=NO_HEARTBEAT,
                compress=0,
                max_msg_size=0,
                ssl=self._tls,
                server_hostname=way.server_hostname,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise await self._explain(error, self._ws_peer, url, way) from None
        assert isinstance(opened, WatchedWebSocket)
        return opened

    async def _check_upgrade(
        self, request: aiohttp.ClientRequest, send: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Stop a handshake that is not answered with a WebSocket.

        aiohttp would follow a redirect here, with every header that we send, and drop the server's words.
        """
        response = await send(request)
        if "Upgrade" not in request.headers:
            return response
        self._answered = True
        if response.status == 101:
            return response
        try:
            answer = await self._read(response)
        finally:
            response.close()
        if response.status == 200:
            raise answers.no_websocket(self._ws_peer)
        raise answers.refusal(answer, self._ws_peer)

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > MOST_BYTES:
                response.close()
                raise NotJupyter(
                    f"{self.peer.shown} answers with more than {MOST_BYTES >> 20} MiB, which no Jupyter "
                    "server does here: check the base URL."
                )
        return Answer(
            method=response.method,
            url=response.url,
            path=response.url.path.removeprefix(self._address.base.path),
            status=response.status,
            location=response.headers.get("Location"),
            challenge=response.headers.get("WWW-Authenticate", ""),
            content_type=response.content_type,
            data=b"".join(chunks),
        )

    async def _explain(self, error: BaseException, peer: Peer, url: URL, way: Address) -> KernelwayError:
        """The error to raise, after a look at the certificate where the sentence needs it."""
        certificate = None
        doubtful = isinstance(error, aiohttp.ClientConnectorCertificateError) or (
            # A server that has never answered in plain HTTP may be one that expects TLS.
            not (peer.secure or self._answered)
            and not isinstance(error, aiohttp.ClientConnectorError | TimeoutError)
        )
        if doubtful and way.unix_path is None and url.host is not None and url.port is not None:
            certificate = await shown_certificate(
                url.host, url.port, server_hostname=way.server_hostname, deadline=_PROBE_TIMEOUT
            )
        failure = broken(error, peer, certificate=certificate, fresh=not self._answered)
        if self._tunnel is not None and self._tunnel.words and isinstance(failure, LinkLost | Unreachable):
            return type(failure)(f"{failure} ssh says: {self._tunnel.words}")
        return failure

    def _own_headers(self, way: Address, url: URL) -> dict[str, str]:
        return way.headers | ({} if self._login is None else self._login.headers(url))

    def _running(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("An HttpClient is used inside `async with` only.")
        return self._session


def _connector(way: Address, fingerprint: str | None) -> aiohttp.BaseConnector:
    # There is no limit on connections: each kernel's WebSocket holds one for as long as it lives.
    if way.unix_path is not None:
        return aiohttp.UnixConnector(way.unix_path, limit=0)
    # aiohttp compares the fingerprint after the handshake and before it hands the connection on.
    pin = True if fingerprint is None else aiohttp.Fingerprint(parse_fingerprint(fingerprint))
    return aiohttp.TCPConnector(limit=0, ssl=pin)


def _headers(options: GatewayOptions) -> CIMultiDict[str]:
    headers = CIMultiDict({"User-Agent": f"kernelway/{__version__}", "Accept-Encoding": "identity"})
    headers.update(options.request_headers)
    if options.token is not None:
        headers["Authorization"] = f"token {options.token}"
    return headers


def _credential(options: GatewayOptions) -> str | None:
    if options.token is not None:
        return "token"
    if options.password is not None:
        return "password"
    own = any(name.lower() == "authorization" for name in options.request_headers)
    return "Authorization header" if own else None
