"""One socket of a link, real, with a server that does as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import WSMsgType, web
from tests.support.peers import http_peer

from kernelway.client.http import HttpClient
from kernelway.client.link_ends import Unmendable
from kernelway.client.options import GatewayOptions
from kernelway.client.pulse import Patience, WatchedWebSocket
from kernelway.client.resume import Came, Joined, LinkState, Missing, State
from kernelway.client.stock_link import StockState
from kernelway.client.talk import Outgoing, Talk
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import KernelDied, KernelwayError, LinkLost
from kernelway.protocol.link_framing import FrameKind, LinkId, Position, encode_frame, head_of
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1

DEADLINE = 20.0

LONG = Patience(DEADLINE, DEADLINE)

Script = Callable[[web.WebSocketResponse], Awaitable[object]]


def message(number: int) -> Message:
    return new_message(
        Channel.SHELL, "r", {"n": number}, msg_id=MessageId("m"), session=SessionId("s"), date=""
    )


class Heard:
    """Keeps what is told; ``news`` is set with each."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.news = asyncio.Event()

    def joined(self, joined: Joined) -> None:
        raise AssertionError(joined)

    def lost(self, error: KernelwayError) -> None:
        raise AssertionError(error)

    def came(self, came: Came) -> None:
        self.told.append(came.message.read_content()["n"])
        self.news.set()

    def missing(self, missing: Missing) -> None:
        self.told.append(missing.hole.reason)

    def taken(self) -> None:
        self.told.append("taken")


@dataclass
class Talking:
    talk: Talk
    websocket: WatchedWebSocket
    heard: Heard
    outgoing: Outgoing

    async def end(self) -> KernelwayError:
        return await asyncio.wait_for(self.talk.serve(), DEADLINE)


@asynccontextmanager
async def talking(
    script: Script,
    state: State,
    *,
    patience: Patience = LONG,
    room: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Talking]:
    """A talk that is yet to be served, with a server that closes when its script is at its end."""

    async def serve(request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(autoping=False)
        await websocket.prepare(request)
        await script(websocket)
        await websocket.close(code=4404, message=b"The end.")
        return websocket

    heard, outgoing, k = Heard(), Outgoing(), KernelId("k")
    async with http_peer(serve) as peer, HttpClient(GatewayOptions(base_url=peer.base_url)) as http:
        websocket = await http.websocket("api", query={}, subprotocols=[])
        talk = Talk(websocket, k, state, heard, patience=patience, outgoing=outgoing, room=room)
        try:
            yield Talking(talk, websocket, heard, outgoing)
        finally:
            websocket.drop()


def sends(*numbers: int) -> Script:
    async def script(websocket: web.WebSocketResponse) -> None:
        for number in numbers:
            await websocket.send_bytes(V1.encode(message(number)))

    return script


def welcomed() -> LinkState:
    state = LinkState(Joining(session=SessionId("s"), link=LinkId("l")))
    state.received(encode_frame(FrameKind.WELCOME, 0, b'{"newest":0,"oldest":1}'))
    return state


async def until_left(websocket: web.WebSocketResponse) -> None:
    while (await websocket.receive()).type in (WSMsgType.BINARY, WSMsgType.PING):
        pass


async def test_what_comes_is_told_and_then_how_it_ended() -> None:
    async with talking(sends(1, 2), StockState(V1)) as it:
        error = await it.end()
        assert isinstance(error, KernelDied)
        assert "The end" in str(error)
        assert it.heard.told == [1, 2]


async def test_a_hole_and_what_is_taken_are_told() -> None:
    async def script(websocket: web.WebSocketResponse) -> None:
        assert head_of((await websocket.receive()).data) == (FrameKind.REQUEST, 1)
        await websocket.send_bytes(encode_frame(FrameKind.TAKEN, 1))
        await websocket.send_bytes(encode_frame(FrameKind.HOLE, 5, b'{"reason":"Full."}'))

    state = welcomed()
    state.post(message(1))
    async with talking(script, state) as it:
        progress = asyncio.create_task(it.outgoing.progress())
        await it.end()
        await asyncio.wait_for(progress, DEADLINE)
        assert it.heard.told == ["taken", "Full."]
        assert (state.taken, state.position) == (1, Position(4))


async def test_what_is_posted_later_is_written_and_that_is_progress() -> None:
    numbers: list[int] = []

    async def script(websocket: web.WebSocketResponse) -> None:
        for _ in range(3):
            frame = await websocket.receive()
            numbers.append(V1.decode(frame.data).read_content()["n"])
            await websocket.send_bytes(frame.data)

    state = StockState(V1)
    state.post(message(1))
    async with talking(script, state) as it:
        serving = asyncio.create_task(it.end())
        await asyncio.wait_for(it.heard.news.wait(), DEADLINE)
        progress = asyncio.create_task(it.outgoing.progress())
        for number in (2, 3):
            state.post(message(number))
        it.outgoing.work.set()
        await asyncio.wait_for(progress, DEADLINE)
        await serving
        assert numbers == it.heard.told == [1, 2, 3]
        assert (state.taken, it.websocket.frames_written) == (3, 3)


async def test_what_is_no_message_ends_it_for_good() -> None:
    closed: list[int | None] = []

    async def script(websocket: web.WebSocketResponse) -> None:
        await websocket.send_bytes(b"no message")
        await until_left(websocket)
        closed.append(websocket.close_code)

    async with talking(script, StockState(V1)) as it:
        assert isinstance(await it.end(), Unmendable)
    assert closed == [1002]


async def test_nothing_is_read_while_there_is_no_room() -> None:
    waits, free = asyncio.Event(), asyncio.Event()

    async def room() -> None:
        if it.heard.told:
            waits.set()
            await free.wait()

    async with talking(sends(1, 2), StockState(V1), room=room) as it:
        serving = asyncio.create_task(it.end())
        await asyncio.wait_for(waits.wait(), DEADLINE)
        assert it.heard.told == [1]
        free.set()
        await serving
        assert it.heard.told == [1, 2]


async def test_silence_ends_it() -> None:
    async with talking(until_left, welcomed(), patience=Patience(0.1, 0.1)) as it:
        error = await it.end()
        assert type(error) is LinkLost
        assert "nothing came from the server for 0.2 seconds" in str(error)


async def test_a_fault_of_ours_is_raised_and_not_taken_for_a_broken_line() -> None:
    class Broken(StockState):
        def wrote(self) -> None:
            raise ZeroDivisionError

    state = Broken(V1)
    state.post(message(1))
    async with talking(until_left, state) as it:
        with pytest.raises(ZeroDivisionError):
            await it.end()


async def test_cancelled_it_leaves_the_socket_open_and_nothing_running() -> None:
    async def script(websocket: web.WebSocketResponse) -> None:
        await websocket.send_bytes(V1.encode(message(1)))
        await until_left(websocket)

    async with talking(script, StockState(V1)) as it:
        serving = asyncio.create_task(it.talk.serve())
        await asyncio.wait_for(it.heard.news.wait(), DEADLINE)
        before = asyncio.all_tasks()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert not it.websocket.closed
        assert len(before - asyncio.all_tasks()) == 3
        await it.websocket.close()
