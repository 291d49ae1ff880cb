"""``transport.api.relay``: a link's frames between a client and channels that do as a test says."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from tests.gateway.scripted import (
    DEADLINE,
    WELCOME,
    ScriptedChannels,
    ScriptedServer,
    scripted_server,
)
from tests.support.processes import until

from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.errors import FrameError, InternalError, KernelDied, PositionGone
from kernelway.protocol.link_framing import (
    LINK_SUBPROTOCOL,
    Assembly,
    FrameKind,
    encode_frame,
    frames_in,
    is_batch,
    is_part,
    parts_of,
)
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL

KIB = 1 << 10
MIB = 1 << 20

BOTH = pytest.mark.parametrize("link_only", [True, False], ids=["host", "gateway"])


async def next_frame(websocket: ClientWebSocketResponse) -> bytes:
    async with asyncio.timeout(DEADLINE):
        return await websocket.receive_bytes()


async def closing_of(websocket: ClientWebSocketResponse) -> tuple[object, object]:
    async with asyncio.timeout(DEADLINE):
        while True:
            frame = await websocket.receive()
            if frame.type is WSMsgType.CLOSE:
                return frame.data, frame.extra
            if frame.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
                return websocket.close_code, None


async def true(holds: Callable[[], bool]) -> None:
    async def check() -> bool:
        return holds()

    await until(check)


@BOTH
async def test_frames_go_through_as_they_are(link_only: bool) -> None:
    strange = [b"", b"\xff", b"{}", bytes(range(256)) * 5000]
    channels = ScriptedChannels(*strange)
    async with (
        scripted_server(channels, link_only=link_only) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        assert websocket.protocol == LINK_SUBPROTOCOL
        assert [await next_frame(websocket) for _ in range(5)] == [WELCOME, *strange]
        for frame in strange:
            await websocket.send_bytes(frame)
        await true(lambda: len(channels.sent) == 4)
        assert channels.sent == strange


async def test_a_client_gets_whole_what_comes_in_parts() -> None:
    frames = [encode_frame(FrameKind.MESSAGE, number, bytes([number]) * MIB) for number in range(1, 4)]
    parts = [part for frame in frames for part in parts_of([frame])]
    small = encode_frame(FrameKind.TAKEN, 1)
    channels = ScriptedChannels(*parts, small, small)
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        came = [await next_frame(websocket) for _ in range(6)]
    assert came == [WELCOME, *frames, small, small]


async def test_a_frame_that_breaks_off_never_came() -> None:
    first, second, *_ = parts_of([encode_frame(FrameKind.MESSAGE, 1, bytes(MIB))])
    channels = ScriptedChannels(first, second)
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        assert await next_frame(websocket) == WELCOME
        await true(lambda: channels.handed_out == 3)
        channels.close(1012, "The connection to the host of this kernel broke.")
        async with asyncio.timeout(DEADLINE):
            while (frame := await websocket.receive()).type is WSMsgType.PING:
                pass
        # A close frame would be taken for the rest of the message.
        assert frame.type is not WSMsgType.BINARY
        assert websocket.close_code == 1006


async def test_a_client_that_leaves_in_the_middle_of_a_frame_is_let_go() -> None:
    first, *_ = parts_of([encode_frame(FrameKind.MESSAGE, 1, bytes(MIB))])
    channels = ScriptedChannels(first)
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        assert await next_frame(websocket) == WELCOME
        await true(lambda: channels.handed_out == 2)
        await websocket.close(code=4000)
        assert await channels.closed() == (4000, "The client left.")


async def test_a_gateway_gets_parts_and_batches_and_its_parts_are_put_together() -> None:
    large = encode_frame(FrameKind.MESSAGE, 1, bytes(MIB))
    small = encode_frame(FrameKind.TAKEN, 1)
    channels = ScriptedChannels(*parts_of([large]), small, small)
    async with (
        scripted_server(channels, link_only=True) as server,
        server.socket(LINK_SUBPROTOCOL, query={"parts": "1"}) as websocket,
    ):
        assembly = Assembly()
        came: list[bytes | bytearray] = []
        while len(came) < 4:
            sent = await next_frame(websocket)
            for frame in frames_in(sent) if is_batch(sent) else [sent]:
                whole = assembly.take(frame) if is_part(frame) else frame
                came += [] if whole is None else [whole]
        assert came == [WELCOME, large, small, small]
        first, *rest = parts_of([large])
        for frame in (first, small, *rest):
            await websocket.send_bytes(frame)
        await true(lambda: len(channels.sent) == 2)
        assert channels.sent == [small, large]


async def test_a_client_that_sends_parts_is_sent_away() -> None:
    channels = ScriptedChannels()
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        await websocket.send_bytes(encode_frame(FrameKind.PART, 1 << 60, b"a"))
        assert await closing_of(websocket) == (1002, "A client sends no PART.")
    assert channels.sent == []


async def test_how_a_client_joins_is_told_to_the_host() -> None:
    async with scripted_server(ScriptedChannels()) as server:
        query = {"session_id": "s", "link": "l", "position": "7", "requests": "1"}
        async with server.socket(LINK_SUBPROTOCOL, query=query):
            (joining,) = server.host.joined
    assert (joining.session, joining.link, joining.position, joining.requests) == ("s", "l", 7, True)


@pytest.mark.parametrize("protocol", [None, V1_SUBPROTOCOL])
async def test_the_channels_of_a_host_are_for_links_alone(protocol: str | None) -> None:
    async with scripted_server(ScriptedChannels(), link_only=True) as server:
        with pytest.raises(WSServerHandshakeError) as caught:
            async with server.socket(protocol):
                pass
        assert caught.value.status == 400
        assert not server.host.joined


@BOTH
async def test_a_position_that_is_gone_is_told_before_the_upgrade(link_only: bool) -> None:
    async with scripted_server(ScriptedChannels(), link_only=link_only) as server:
        server.host.refusal = PositionGone("It is no longer kept.", oldest=17)
        with pytest.raises(WSServerHandshakeError) as caught:
            async with server.socket(LINK_SUBPROTOCOL, query={"position": "3"}):
                pass
        assert caught.value.status == 410
        asking = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        asking |= {
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": LINK_SUBPROTOCOL,
        }
        async with server.http.get("api/kernels/k/channels?position=3", headers=asking) as answer:
            assert await answer.json() == {"message": "It is no longer kept.", "reason": "Gone", "oldest": 17}


# Ends


@BOTH
async def test_a_text_frame_ends_the_connection(link_only: bool) -> None:
    channels = ScriptedChannels()
    async with (
        scripted_server(channels, link_only=link_only) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        await websocket.send_str("{}")
        code, reason = await closing_of(websocket)
        assert (code, reason) == (1002, "A text frame came where a link has binary frames only.")
        assert await channels.closed() == (code, reason)


@BOTH
async def test_the_end_of_the_channels_is_the_clients(link_only: bool) -> None:
    channels = ScriptedChannels(b"last")
    channels.close(4404, "The kernel was shut down.")
    async with (
        scripted_server(channels, link_only=link_only) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        assert [await next_frame(websocket), await next_frame(websocket)] == [WELCOME, b"last"]
        assert await closing_of(websocket) == (4404, "The kernel was shut down.")


@BOTH
@pytest.mark.parametrize(
    ("code", "told"), [(1000, (1000, "")), (4000, (4000, "The client left.")), (1005, (1000, ""))]
)
async def test_the_end_of_a_client_is_the_channels(link_only: bool, code: int, told: tuple[int, str]) -> None:
    channels = ScriptedChannels()
    async with (
        scripted_server(channels, link_only=link_only) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        if code == 1005:
            websocket._response.connection.transport.write(b"\x88\x80\0\0\0\0")  # type: ignore[union-attr]
        else:
            await websocket.close(code=code)
        assert await channels.closed() == told


async def test_a_client_that_goes_without_a_word_ends_its_channels() -> None:
    channels = ScriptedChannels()
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        assert await next_frame(websocket) == WELCOME
        cut(websocket)
        assert (await channels.closed())[0] in (1000, 1012)


def cut(websocket: ClientWebSocketResponse) -> None:
    connection = websocket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (ChannelsClosed(4409, "Replaced."), 4409, "Replaced."),
        (FrameError("Request 7 leaves out others."), 1002, "Request 7 leaves out others."),
        (KernelDied("The kernel is dead."), 4410, "The kernel is dead."),
        (ZeroDivisionError("ours"), 1011, "Something went wrong in the gateway; its log has the details."),
        (InternalError("ours"), 1011, "Something went wrong in the gateway; its log has the details."),
    ],
)
async def test_what_goes_wrong_with_a_frame_ends_its_connection_alone(
    error: Exception, code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: bytes) -> None:
        if isinstance(error, ChannelsClosed):
            broken.close(error.code, error.reason)
        raise error

    broken, other = ScriptedChannels(on_send=fail), ScriptedChannels()
    async with (
        scripted_server(broken, other) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
        server.socket(LINK_SUBPROTOCOL) as unharmed,
    ):
        await websocket.send_bytes(b"x")
        assert await closing_of(websocket) == (code, reason)
        await unharmed.send_bytes(b"y")
        await true(lambda: other.sent == [b"y"])
    assert ("ours" in caplog.text) == (code == 1011)


async def test_a_frame_that_is_too_big_ends_its_connection() -> None:
    async with (
        scripted_server(ScriptedChannels(), largest=100_000) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        await websocket.send_bytes(bytes(100_009))
        await websocket.send_bytes(bytes(100_010))
        assert (await closing_of(websocket))[0] == 1009


async def test_a_gateway_that_stops_says_so() -> None:
    channels = ScriptedChannels()
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        stopping = asyncio.create_task(server.app.shutdown())
        from kernelway.gateway.channels import SOCKETS

        server.app[SOCKETS].close()
        assert await closing_of(websocket) == (1012, "The gateway is stopping.")
        await stopping
        assert (await channels.closed())[0] == 1012


# Backpressure


async def test_a_client_that_does_not_read_holds_the_channels_back() -> None:
    # More than all buffers on the way hold.
    frames = [bytes(MIB)] * 200
    channels = ScriptedChannels(*frames)
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        await settled(lambda: channels.handed_out)
        assert channels.handed_out < 100
        for _ in range(201):
            await next_frame(websocket)
        assert channels.handed_out == 201


async def settled(count: Callable[[], int]) -> None:
    """Return once the count has stayed as it is for a while."""
    before = -1
    while before != count():
        before = count()
        await asyncio.sleep(0.5)


async def test_channels_that_take_no_more_hold_the_client_back() -> None:
    taken = asyncio.Semaphore(0)

    async def take(_: bytes) -> None:
        await taken.acquire()

    channels = ScriptedChannels(on_send=take)
    async with scripted_server(channels) as server, server.socket(LINK_SUBPROTOCOL) as websocket:
        for _ in range(20):
            await websocket.send_bytes(b"x")
        for number in range(1, 21):
            await true(lambda number=number: len(channels.sent) == number)
            taken.release()


async def test_everything_said_before_the_end_reaches_a_slow_reader() -> None:
    frames = [bytes([100 + number]) * MIB for number in range(40)]
    channels = ScriptedChannels(*frames)
    channels.close(4404, "The end.")
    async with (
        scripted_server(channels) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        assert await next_frame(websocket) == WELCOME
        for frame in frames:
            assert await next_frame(websocket) == frame
            await asyncio.sleep(0.05)
        assert await closing_of(websocket) == (4404, "The end.")


@asynccontextmanager
async def narrow_socket(server: ScriptedServer) -> AsyncIterator[ClientWebSocketResponse]:
    """A client whose machine takes little at a time."""
    async with server.socket(LINK_SUBPROTOCOL) as websocket:
        websocket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        yield websocket


# Silence


async def test_a_client_that_answers_nothing_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    channels = ScriptedChannels()
    async with (
        scripted_server(channels, interval=0.2, timeout=0.4) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        # It never receives, and so it never answers a ping.
        assert await channels.closed() == (1012, "The connection ended.")
        assert websocket.close_code is None
    assert "silent for 0.4 s" in caplog.text


async def test_a_client_that_does_not_read_is_cut() -> None:
    channels = ScriptedChannels(*[bytes(MIB)] * 50)
    async with (
        scripted_server(channels, interval=0.2, timeout=0.4) as server,
        server.socket(LINK_SUBPROTOCOL),
    ):
        assert await channels.closed() == (1012, "The connection ended.")
        assert channels.handed_out < 50


async def test_a_client_that_only_answers_pings_stays() -> None:
    async with (
        scripted_server(ScriptedChannels(), interval=0.1, timeout=0.4) as server,
        server.socket(LINK_SUBPROTOCOL, pongs=False) as websocket,
    ):
        assert await next_frame(websocket) == WELCOME
        async with asyncio.timeout(DEADLINE):
            for _ in range(12):
                frame = await websocket.receive()
                assert frame.type is WSMsgType.PING
                await websocket.pong(frame.data)


async def test_a_slow_reader_stays() -> None:
    frames = [bytes(64 * KIB)] * 8
    channels = ScriptedChannels(*frames)
    async with (
        scripted_server(channels, interval=0.2, timeout=1.0) as server,
        narrow_socket(server) as websocket,
    ):
        for _ in range(9):
            await next_frame(websocket)
            await asyncio.sleep(0.3)


async def test_a_client_that_is_held_back_is_not_silent() -> None:
    taken = asyncio.Event()

    async def take(_: bytes) -> None:
        await taken.wait()

    channels = ScriptedChannels(on_send=take)
    async with (
        scripted_server(channels, interval=0.2, timeout=0.4) as server,
        server.socket(LINK_SUBPROTOCOL) as websocket,
    ):
        assert await next_frame(websocket) == WELCOME

        async def flood() -> None:
            for _ in range(20):
                await websocket.send_bytes(bytes(MIB))

        reading = asyncio.create_task(websocket.receive())
        flooding = asyncio.create_task(flood())
        done, _ = await asyncio.wait({asyncio.create_task(channels.wait_closed()), reading}, timeout=1.5)
        assert not done
        taken.set()
        await flooding
        await true(lambda: len(channels.sent) == 20)
        reading.cancel()


async def test_a_clients_ping_is_answered() -> None:
    async with (
        scripted_server(ScriptedChannels()) as server,
        server.socket(LINK_SUBPROTOCOL, pongs=False) as websocket,
    ):
        assert await next_frame(websocket) == WELCOME
        await websocket.ping(b"there?")
        async with asyncio.timeout(DEADLINE):
            frame = await websocket.receive()
        assert (frame.type, bytes(frame.data)) == (WSMsgType.PONG, b"there?")
