"""A connection to a kernel of another process, with hosts that are played frame by frame on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import WSMessage, WSMsgType, web

from kernelway.gateway.remote_channels import RemoteChannels, query_of
from kernelway.gateway.remote_host import RemoteHost
from kernelway.protocol.channels import ChannelsClosed, Joining
from kernelway.protocol.errors import InternalError, KernelwayError, NotFound, PositionGone, Unreachable
from kernelway.protocol.link_framing import (
    LINK_SUBPROTOCOL,
    VERSION,
    Assembly,
    FrameKind,
    LinkId,
    Position,
    Welcome,
    encode_frame,
    is_part,
    packed,
)
from kernelway.protocol.message import MessageId, SessionId
from kernelway.protocol.models import KernelId
from kernelway.transport.api.client_socket import Beat
from kernelway.transport.api.server import serving
from kernelway.transport.listening import listen_on_path

DEADLINE = 30.0

PATIENT = Beat(interval=10.0, timeout=20.0)

JOINING = Joining(session=SessionId("s"), link=LinkId("l"))

Part = Callable[[web.WebSocketResponse], Awaitable[None]]
"""What a host does with a connection; it is closed, with 1000, when that returns."""


@asynccontextmanager
async def to_a_host_that(
    plays: Part, *, beat: Beat = PATIENT, answers_pings: bool = True
) -> AsyncIterator[RemoteHost]:
    async def connected(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(
            protocols=(LINK_SUBPROTOCOL,), autoping=answers_pings, max_msg_size=0, timeout=1.0
        )
        await websocket.prepare(request)
        await plays(websocket)
        return websocket

    async with host_serving(connected, beat=beat) as host:
        yield host


@asynccontextmanager
async def host_serving(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], *, beat: Beat = PATIENT
) -> AsyncIterator[RemoteHost]:
    app = web.Application()
    app.router.add_get("/api/kernels/{kernel_id}/channels", handler)
    with tempfile.TemporaryDirectory(prefix="kw-", dir="/tmp") as folder:
        path = Path(folder) / "host"
        async with (
            serving(app, listen_on_path(path)),
            RemoteHost(path, patience=DEADLINE, beat=beat) as host,
        ):
            yield host


async def joined(host: RemoteHost) -> RemoteChannels:
    return await host.connect(KernelId("k"), JOINING)


async def everything(channels: RemoteChannels) -> tuple[list[bytes], ChannelsClosed]:
    """All frames to the end, and the end."""
    frames: list[bytes] = []
    async with asyncio.timeout(DEADLINE):
        try:
            while True:
                frames += await channels.receive()
        except ChannelsClosed as closed:
            return frames, closed


async def heard(websocket: web.WebSocketResponse) -> WSMessage:
    async with asyncio.timeout(DEADLINE):
        return await websocket.receive()


async def test_frames_go_through_as_they_are_both_ways() -> None:
    sent = [b"", b"\0", bytes(range(256)) * 4, b"x" * (5 << 20)]

    async def echoes(websocket: web.WebSocketResponse) -> None:
        assert websocket.ws_protocol == LINK_SUBPROTOCOL
        for _ in sent:
            await websocket.send_bytes((await heard(websocket)).data)
        await websocket.close(code=4404, message="The kernel was shut down: für immer.".encode())

    async with to_a_host_that(echoes) as host:
        channels = await joined(host)
        sending = asyncio.gather(*(channels.send(frame) for frame in sent))
        frames, closed = await everything(channels)
        await sending
        assert frames == sent
        assert (closed.code, closed.reason) == (4404, "The kernel was shut down: für immer.")


WELCOMES = pytest.mark.parametrize("version", [1, VERSION])


@WELCOMES
async def test_a_large_request_goes_in_parts_to_a_host_that_takes_them(version: int) -> None:
    pieces = encode_frame(FrameKind.REQUEST, 1, b"request"), bytes(range(256)) * 4000, b"end"
    got: list[bytes] = []

    async def listens(websocket: web.WebSocketResponse) -> None:
        told = Welcome(Position(0), Position(1), version=version)
        await websocket.send_bytes(encode_frame(FrameKind.WELCOME, 0, msgspec.json.encode(told)))
        while (frame := await heard(websocket)).type is WSMsgType.BINARY:
            got.append(frame.data)
            if frame.data == b"small":
                return

    async with to_a_host_that(listens) as host:
        channels = await joined(host)
        await channels.receive()
        await channels.send(*pieces)
        await channels.send(b"sm", b"all")
        await everything(channels)
    assert got.pop() == b"small"
    assembly = Assembly()
    whole = [assembly.take(frame) if is_part(frame) else frame for frame in got]
    assert (len(got) == 1) == (version == 1)
    assert whole == [None] * (len(got) - 1) + [b"".join(pieces)]


async def test_frames_that_come_together_are_received_one_by_one() -> None:
    frames = [encode_frame(FrameKind.TAKEN, number) for number in range(500)]

    async def sends(websocket: web.WebSocketResponse) -> None:
        for frame in packed(frames):
            await websocket.send_bytes(frame)

    async with to_a_host_that(sends) as host:
        came, _ = await everything(await joined(host))
    assert came == frames


async def test_a_batch_that_is_none_is_the_hosts_fault() -> None:
    async def errs(websocket: web.WebSocketResponse) -> None:
        await websocket.send_bytes(encode_frame(FrameKind.BATCH, 3, b"abc"))
        await heard(websocket)

    async with to_a_host_that(errs) as host:
        channels = await joined(host)
        with pytest.raises(InternalError, match="The host sent a frame that is none"):
            await channels.receive()
        channels.close(1000, "")


async def test_the_end_is_told_to_everybody_with_the_hosts_reason() -> None:
    async def ends(websocket: web.WebSocketResponse) -> None:
        await websocket.send_bytes(b"last words")
        await websocket.close(code=4409, message=b"Another took its place.")

    async with to_a_host_that(ends) as host:
        channels = await joined(host)
        waiting = asyncio.create_task(channels.wait_closed())
        frames, closed = await everything(channels)
        assert frames == [b"last words"]
        for told in (closed, await waiting, await channels.wait_closed()):
            assert (told.code, told.reason) == (4409, "Another took its place.")
        with pytest.raises(ChannelsClosed, match="Another took its place"):
            await channels.send(b"too late")
        with pytest.raises(ChannelsClosed, match="Another took its place"):
            await channels.receive()


@pytest.mark.parametrize("code", [None, 1000, 1001])
async def test_a_host_that_goes_without_a_reason_is_one_to_come_back_to(code: int | None) -> None:
    async def leaves(websocket: web.WebSocketResponse) -> None:
        await heard(websocket)
        if code is None:
            transport = websocket.get_extra_info("socket")
            assert transport is not None
            transport.shutdown(2)
        else:
            await websocket.close(code=code)

    async with to_a_host_that(leaves) as host:
        channels = await joined(host)
        await channels.send(b"go")
        frames, closed = await everything(channels)
        assert (frames, closed.code) == ([], 1012)
        assert "The connection to the host of this kernel broke" in closed.reason


async def test_a_host_that_answers_nothing_is_gone() -> None:
    async def sleeps(websocket: web.WebSocketResponse) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                async for _ in websocket:
                    pass

    beat = Beat(interval=0.1, timeout=0.3)
    async with to_a_host_that(sleeps, beat=beat, answers_pings=False) as host:
        frames, closed = await everything(await joined(host))
        assert (frames, closed.code) == ([], 1012)
        assert closed.reason == "The host of this kernel has been silent for 0.4 s."


async def test_a_host_that_has_nothing_to_say_but_answers_is_there() -> None:
    async def answers(websocket: web.WebSocketResponse) -> None:
        for _ in range(5):
            ping = await heard(websocket)
            assert ping.type is WSMsgType.PING
            await websocket.pong(ping.data)
        await websocket.send_bytes(b"at last")
        await heard(websocket)

    beat = Beat(interval=0.2, timeout=10.0)
    async with to_a_host_that(answers, beat=beat, answers_pings=False) as host:
        channels = await joined(host)
        async with asyncio.timeout(DEADLINE):
            assert await channels.receive() == (b"at last",)


@pytest.mark.parametrize("reason", ["The gateway is stopping.", "ü" * 100, ""])
async def test_closing_tells_the_host_why(reason: str) -> None:
    told: asyncio.Future[WSMessage] = asyncio.get_running_loop().create_future()

    async def listens(websocket: web.WebSocketResponse) -> None:
        told.set_result(await heard(websocket))

    async with to_a_host_that(listens) as host:
        channels = await joined(host)
        receiving = asyncio.create_task(everything(channels))
        channels.close(1012, reason)
        channels.close(4404, "closing twice is no error")
        frames, closed = await receiving
        assert (frames, closed.code, closed.reason) == ([], 1012, reason)
        message = await told
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)
        assert message.extra == reason.encode()[:123].decode("utf-8", "ignore")


async def test_leaving_the_host_closes_what_is_open() -> None:
    told: asyncio.Queue[int] = asyncio.Queue()

    async def listens(websocket: web.WebSocketResponse) -> None:
        await told.put((await heard(websocket)).data)

    async with to_a_host_that(listens) as host:
        channels = [await joined(host) for _ in range(3)]
        await host.__aexit__()
        assert [await told.get() for _ in channels] == [1012, 1012, 1012]
        for each in channels:
            assert (await each.wait_closed()).reason == "The gateway is stopping."


async def test_a_reader_that_is_slow_holds_the_host_back_and_misses_nothing() -> None:
    count, frame = 400, b"x" * (64 << 10)
    sent_all = asyncio.Event()

    async def floods(websocket: web.WebSocketResponse) -> None:
        for number in range(count):
            await websocket.send_bytes(number.to_bytes(4) + frame)
        sent_all.set()
        await websocket.close(code=4404, message=b"That was all.")

    async with to_a_host_that(floods, beat=Beat(interval=0.05, timeout=5.0)) as host:
        channels = await joined(host)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await sent_all.wait()
        frames, closed = await everything(channels)
        assert [int.from_bytes(each[:4]) for each in frames] == list(range(count))
        assert closed.code == 4404


async def test_all_clients_of_a_gateway_may_come_at_once() -> None:
    async def greets(websocket: web.WebSocketResponse) -> None:
        await websocket.send_bytes(b"hello")
        await heard(websocket)

    async with to_a_host_that(greets) as host:
        # More than wait in the queue that a listener has by default.
        joining = await asyncio.gather(*(joined(host) for _ in range(400)))
        async with asyncio.timeout(DEADLINE):
            greetings = await asyncio.gather(*(channels.receive() for channels in joining))
        assert set(greetings) == {(b"hello",)}


async def test_cancelling_a_receive_loses_nothing() -> None:
    async def counts(websocket: web.WebSocketResponse) -> None:
        for number in range(200):
            await websocket.send_bytes(number.to_bytes(4))
            await asyncio.sleep(0)
        await websocket.close(code=4404)

    async with to_a_host_that(counts) as host:
        channels = await joined(host)
        numbers = []
        with contextlib.suppress(ChannelsClosed):
            while True:
                receiving = asyncio.create_task(channels.receive())
                await asyncio.wait({receiving}, timeout=0)
                receiving.cancel()
                await asyncio.wait({receiving})
                if not receiving.cancelled():
                    numbers += [int.from_bytes(frame) for frame in receiving.result()]
        assert numbers == list(range(200))


# The handshake


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (404, {"message": "There is no kernel 'k' here.", "reason": "Not Found"}, NotFound),
        (410, {"message": "That is gone.", "reason": "Gone", "oldest": 12}, PositionGone),
        (502, {"message": "Nobody is there.", "reason": "Bad Gateway"}, Unreachable),
    ],
)
async def test_a_host_that_refuses_is_quoted(
    status: int, said: Mapping[str, object], kind: type[KernelwayError]
) -> None:
    async def refuses(_: web.Request) -> web.StreamResponse:
        return web.json_response(said, status=status)

    async with host_serving(refuses) as host:
        with pytest.raises(kind) as caught:
            await joined(host)
        assert type(caught.value) is kind
        assert str(caught.value) == said["message"]
        if isinstance(caught.value, PositionGone):
            assert caught.value.oldest == 12


async def test_the_query_says_how_to_join() -> None:
    asked: list[dict[str, str]] = []

    async def remembers(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        return web.Response(status=404, body=json.dumps({"message": "No.", "reason": "Not Found"}))

    joining = Joining(session=SessionId("a b&c=ü"), link=LinkId("l"), after=MessageId("x/y+z"))
    async with host_serving(remembers) as host:
        with pytest.raises(NotFound):
            await host.connect(KernelId("k/../?x#y"), joining)
    assert asked == [{"session_id": "a b&c=ü", "link": "l", "after": "x/y+z"}]


@pytest.mark.parametrize(
    ("more", "query"),
    [
        (Joining(session=SessionId("s"), link=LinkId("l")), {}),
        (Joining(session=SessionId("s"), link=LinkId("l"), position=Position(0)), {"position": "0"}),
        (Joining(session=SessionId("s"), link=LinkId("l"), replay_all=True), {"replay": "all"}),
        (Joining(session=SessionId("s"), link=LinkId("l"), resume=True), {"resume": "1"}),
        (
            Joining(session=SessionId("s"), link=LinkId("l"), position=Position(7), requests=True),
            {"position": "7", "requests": "1"},
        ),
    ],
)
def test_only_what_is_meant_is_said(more: Joining, query: dict[str, str]) -> None:
    assert query_of(more) == {"session_id": "s", "link": "l", **query}
