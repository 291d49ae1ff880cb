"""The client side that all servers share: thin, over aiohttp, with v1 framing where the server offers it."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

import aiohttp

from benchmarks.exchange import DEADLINE, Arrived, Exchange, Kernel, Listeners, Request, Shortfall
from benchmarks.raw_listeners import open_listeners
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, framing_for

_PATIENCE = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and what it is shown; the HTTP session has both already."""

    url: str
    token: str
    http: aiohttp.ClientSession


class ServerKernel:
    """A kernel of a server and a WebSocket to its channels."""

    def __init__(
        self,
        server: Server,
        path: str,
        socket: aiohttp.ClientWebSocketResponse,
        session: SessionId,
    ) -> None:
        self._server = server
        self._path = path
        self._socket = socket
        self._session = session
        self._framing = framing_for(socket.protocol)

    async def exchange(self, request: Request, *, deadline: float = DEADLINE) -> Exchange:
        """Send a request and wait until it is answered."""
        exchange = Exchange(request)
        try:
            async with asyncio.timeout(deadline):
                began = time.perf_counter()
                frame = self._framing.encode(self._message(exchange))
                if isinstance(frame, str):
                    await self._socket.send_str(frame)
                else:
                    await self._socket.send_bytes(frame)
                while not exchange.complete:
                    await self._receive(exchange)
                exchange.seconds = time.perf_counter() - began
        except TimeoutError:
            raise Shortfall(f"no answer within {deadline:g} s") from None
        except (ConnectionError, aiohttp.ClientError):
            raise Shortfall(self._loss()) from None
        return exchange

    async def listen(self, count: int) -> Listeners:
        """So many more WebSockets, each in a session of its own."""
        return await open_listeners(self._server.url, self._server.token, f"{self._path}/channels", count)

    async def shutdown(self) -> None:
        """Close the socket and have the server end the kernel."""
        await self._socket.close()
        try:
            async with self._server.http.delete(self._path, timeout=_PATIENCE) as answer:
                if answer.status != 204:
                    raise Shortfall(f"DELETE of a kernel was answered {answer.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Shortfall(f"a kernel is not ended: {type(error).__name__}") from error

    async def _receive(self, exchange: Exchange) -> None:
        frame = await self._socket.receive()
        if frame.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
            raise Shortfall(self._loss())
        message = self._framing.decode(frame.data)
        header = message.read_header()
        parent_header = message.read_parent_header()
        arrived = Arrived(message.channel, header.msg_type, message.content, message.buffers)
        exchange.add(parent_header.msg_id, arrived)

    def _message(self, exchange: Exchange) -> Message:
        return new_message(
            Channel.SHELL,
            exchange.request.msg_type,
            exchange.request.content,
            msg_id=MessageId(exchange.msg_id),
            session=self._session,
            date="2026-01-01T00:00:00Z",
            buffers=exchange.request.buffers,
        )

    def _loss(self) -> str:
        code = self._socket.close_code
        return "connection lost" if code in (None, 1006) else f"connection lost (close code {code})"


async def start_kernel(server: Server, spec: str) -> Kernel:
    """POST a kernel and open a WebSocket to its channels."""
    session = SessionId(uuid.uuid4().hex)
    try:
        async with server.http.post("api/kernels", json={"name": spec}, timeout=_PATIENCE) as answer:
            if answer.status != 201:
                raise Shortfall(f"POST api/kernels was answered {answer.status}")
            path = f"api/kernels/{(await answer.json())['id']}"
        socket = await server.http.ws_connect(
            f"{path}/channels", params={"session_id": session}, protocols=[V1_SUBPROTOCOL], max_msg_size=0
        )
    except aiohttp.WSServerHandshakeError as error:
        raise Shortfall(f"the WebSocket was answered {error.status}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Shortfall(f"no kernel: {type(error).__name__}") from error
    return ServerKernel(server, path, socket, session)
