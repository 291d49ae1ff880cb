"""The server's side of one WebSocket, with a real client at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from tests.gateway.scripted import DEADLINE
from tests.support.peers import http_peer

from kernelway.protocol.errors import InvalidRequest
from kernelway.transport.api import client_socket
from kernelway.transport.api.client_socket import Beat, ClientSocket, Ending, until_silent

Script = Callable[[ClientSocket], Awaitable[object]]

END = Ending(4404, "The end.")


@asynccontextmanager
async def connected(script: Script, *, pongs: bool = True) -> AsyncIterator[ClientWebSocketResponse]:
    """A client whose server does as the script says; what the script raises fails the test."""
    served: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(request: web.Request) -> web.StreamResponse:
        socket = ClientSocket(request, protocols=("ours",), largest=1000)
        try:
            assert socket.offered() == "ours"
            await socket.accept()
            await script(socket)
            await socket.end(END)
            served.set_result(None)
        except (AssertionError, TimeoutError) as error:
            served.set_exception(error)
            raise
        return socket

    async with (
        http_peer(serve) as peer,
        ClientSession(peer.base_url) as http,
        http.ws_connect("/", protocols=("ours",), autoping=pongs) as websocket,
    ):
        yield websocket
        await asyncio.wait_for(served, DEADLINE)


async def left(socket: ClientSocket) -> None:
    """Receive until the client is gone."""
    while (await socket.receive()).type in (WSMsgType.BINARY, WSMsgType.PONG, WSMsgType.PING):
        pass


async def closing_of(websocket: ClientWebSocketResponse) -> tuple[object, object]:
    frame = await asyncio.wait_for(websocket.receive(), DEADLINE)
    return frame.data, frame.extra


@pytest.mark.parametrize(
    ("headers", "offered"),
    [
        ({}, InvalidRequest),
        ({"Upgrade": "websocket", "Connection": "Upgrade"}, InvalidRequest),
        ({"Sec-WebSocket-Version": "12"}, InvalidRequest),
        ({"Sec-WebSocket-Version": "13"}, None),
        ({"Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "others"}, None),
        ({"Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "others, ours"}, "ours"),
    ],
)
async def test_what_is_offered_is_known_before_the_handshake(
    headers: dict[str, str], offered: object
) -> None:
    got: list[object] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            got.append(ClientSocket(request, protocols=("ours",), largest=0).offered())
        except InvalidRequest:
            got.append(InvalidRequest)
        return web.Response()

    if "Sec-WebSocket-Version" in headers:
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        headers = {**upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers}
    async with http_peer(serve) as peer, ClientSession(peer.base_url) as http:
        await http.get("/", headers=headers)
    assert got == [offered]


async def test_it_counts_what_it_writes_and_notes_what_it_hears() -> None:
    async def script(socket: ClientSocket) -> None:
        assert (socket.written, socket.pinged, socket.answers) == (0, 0.0, False)
        before = socket.heard
        await socket.put(memoryview(b"abc"))
        await socket.put(b"defg")
        assert socket.written == 7
        assert (await socket.receive()).data == b"thanks"
        assert socket.heard > before
        assert socket.listening
        assert not socket.lost

    async with connected(script) as websocket:
        assert [await websocket.receive_bytes(), await websocket.receive_bytes()] == [b"abc", b"defg"]
        await websocket.send_bytes(b"thanks")
        assert await closing_of(websocket) == (4404, "The end.")


@pytest.mark.parametrize(
    ("reason", "told"), [("x" * 200, "x" * 123), ("ü" * 100, "ü" * 61), ("x" + "€" * 100, "x" + "€" * 40)]
)
async def test_a_long_reason_is_cut_between_characters(reason: str, told: str) -> None:
    async def script(socket: ClientSocket) -> None:
        await socket.end(Ending(4409, reason))

    async with connected(script) as websocket:
        assert await closing_of(websocket) == (4409, told)


async def test_the_first_unanswered_ping_is_what_is_waited_for() -> None:
    async def script(socket: ClientSocket) -> None:
        assert socket.has_room
        await socket.ask(b"one")
        first = socket.pinged
        assert first > socket.heard
        await socket.ask(b"two")
        assert socket.pinged == first < socket.pinged_last
        assert [(await socket.receive()).data for _ in range(2)] == [b"one", b"two"]
        await socket.ask(b"three")
        assert socket.pinged == socket.pinged_last > first

    async with connected(script) as websocket:
        assert await closing_of(websocket) == (4404, "The end.")


async def test_too_large_a_message_is_told_with_its_code() -> None:
    async def script(socket: ClientSocket) -> None:
        assert (await socket.receive()).type is WSMsgType.ERROR
        with pytest.raises(ConnectionError):
            await socket.put(b"more")

    async with connected(script) as websocket:
        await websocket.send_bytes(bytes(1001))
        assert (await closing_of(websocket))[0] == 1009


async def test_a_stop_is_asked_for_once() -> None:
    async def script(socket: ClientSocket) -> None:
        assert not socket.stopped.done()
        socket.stop(END)
        socket.stop(Ending(1000, ""))
        assert socket.stopped.result() == END

    async with connected(script) as websocket:
        await closing_of(websocket)


async def test_one_that_is_cut_is_lost_and_can_be_ended() -> None:
    async def script(socket: ClientSocket) -> None:
        socket.abort()
        assert socket.lost
        assert (socket.buffered, socket.unread, socket.listening) == (0, 0, False)

    async with connected(script) as websocket:
        frame = await asyncio.wait_for(websocket.receive(), DEADLINE)
        assert frame.type in (WSMsgType.CLOSED, WSMsgType.ERROR)


async def test_a_client_that_does_not_read_does_not_keep_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_socket, "_CLOSE", 0.1)
    over = asyncio.Event()

    async def script(socket: ClientSocket) -> None:
        await socket.receive()
        writing = asyncio.create_task(socket.put(bytes(64 << 20)))
        await asyncio.sleep(0)
        assert socket.unread > socket.buffered > 0
        assert not socket.has_room
        # As a server does that stops.
        writing.cancel()
        await socket.end(END)
        assert (socket.lost, socket.buffered) == (True, 0)
        over.set()

    async with connected(script) as websocket:
        connection = websocket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.pause_reading()
        await websocket.send_bytes(b"Now.")
        await asyncio.wait_for(over.wait(), DEADLINE)
        connection.transport.abort()


async def test_silence_is_what_a_client_that_answers_pings_does_not_answer() -> None:
    async def script(socket: ClientSocket) -> None:
        socket.answers = True
        reading = asyncio.create_task(left(socket))
        await asyncio.wait_for(until_silent(socket, Beat(0.05, 0.2)), DEADLINE)
        assert socket.pinged > socket.heard
        socket.abort()
        await reading

    async with connected(script, pongs=False) as websocket:
        assert (await asyncio.wait_for(websocket.receive(), DEADLINE)).type is WSMsgType.PING
