"""``gateway.stock_socket``: Jupyter's own protocols in front of channels that do as a test says."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from tests.gateway.scripted import (
    DEADLINE,
    ScriptedChannels,
    frames_of,
    scripted_server,
)
from tests.support.processes import until

from kernelway.protocol.errors import PositionGone
from kernelway.protocol.link_framing import (
    LINK_SUBPROTOCOL,
    FrameKind,
    encode_frame,
    encode_message_frame,
    parts_of,
)
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, encode_default, encode_v1, framing_for

PROTOCOLS = pytest.mark.parametrize("protocol", [V1_SUBPROTOCOL, None], ids=["v1", "default"])


def output(number: int, size: int = 0) -> Message:
    header = json.dumps({"msg_id": str(number), "msg_type": "stream"}).encode()
    return Message(Channel.IOPUB, header, content=b'{"text":"%b"}' % (b"x" * size))


async def next_message(websocket: ClientWebSocketResponse) -> Message:
    async with asyncio.timeout(DEADLINE):
        while True:
            frame = await websocket.receive()
            if frame.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                return framing_for(websocket.protocol).decode(frame.data)
            assert frame.type in (WSMsgType.PING, WSMsgType.PONG), frame


async def next_ids(websocket: ClientWebSocketResponse, count: int) -> list[int]:
    return [int((await next_message(websocket)).read_header().msg_id) for _ in range(count)]


async def true(holds: Callable[[], bool]) -> None:
    async def check() -> bool:
        return holds()

    await until(check)


def cut(websocket: ClientWebSocketResponse) -> None:
    connection = websocket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


# To the client


@PROTOCOLS
async def test_messages_and_nothing_else_reach_the_client(protocol: str | None) -> None:
    message = Message(Channel.IOPUB, b'{"msg_id":"m"}', buffers=(b"abc", bytes(1 << 20)))
    channels = ScriptedChannels(
        encode_message_frame(FrameKind.KEPT_REQUEST, 1, Message(Channel.SHELL, b'{"msg_id":"r"}')),
        encode_frame(FrameKind.TAKEN, 3),
        *frames_of(message, output(3), after=1),
    )
    async with scripted_server(channels) as server, server.socket(protocol) as websocket:
        assert websocket.protocol == protocol
        came = await next_message(websocket)
        assert came.read_header().msg_id == "m"
        assert [bytes(each) for each in came.buffers] == [b"abc", bytes(1 << 20)]
        assert await next_ids(websocket, 1) == [3]


@PROTOCOLS
async def test_a_message_in_parts_is_one_message(protocol: str | None) -> None:
    large = Message(Channel.IOPUB, b'{"msg_id":"2"}', buffers=(b"abc", bytes(range(256)) * 8000))
    (frame,) = frames_of(large, after=1)
    channels = ScriptedChannels(*frames_of(output(1)), *parts_of([frame]), *frames_of(output(3), after=2))
    async with scripted_server(channels) as server, server.socket(protocol) as websocket:
        assert await next_ids(websocket, 1) == [1]
        came = await next_message(websocket)
        assert came.read_header().msg_id == "2"
        assert [bytes(each) for each in came.buffers] == list(map(bytes, large.buffers))
        assert await next_ids(websocket, 1) == [3]
        receiving = asyncio.create_task(websocket.receive())
        await true(lambda: channels.received()[-1:] == [3])
        receiving.cancel()


@PROTOCOLS
async def test_a_message_that_breaks_off_is_none_and_does_not_count(protocol: str | None) -> None:
    first, *_ = parts_of(frames_of(output(2, 1 << 20), after=1))
    channels = ScriptedChannels(*frames_of(output(1)))
    async with scripted_server(channels) as server, server.socket(protocol) as websocket:
        assert await next_ids(websocket, 1) == [1]
        receiving = asyncio.create_task(websocket.receive())
        await true(lambda: channels.received() == [1])
        channels.publish(first)
        await true(lambda: channels.handed_out == 3)
        channels.close(1012, "The connection to the host of this kernel broke.")
        async with asyncio.timeout(DEADLINE):
            frame = await receiving
            while frame.type is WSMsgType.PING:
                frame = await websocket.receive()
        # In v1 a close frame would be taken for the rest of the message.
        assert frame.type is not WSMsgType.BINARY
        assert frame.data == 1012 or protocol == V1_SUBPROTOCOL
    assert channels.received() == [1]


async def test_a_pong_waits_until_a_large_message_is_whole() -> None:
    parts = list(parts_of(frames_of(output(1, 1 << 20))))
    channels = ScriptedChannels(*parts[:2])
    async with scripted_server(channels) as server, server.socket(pongs=False) as websocket:
        await websocket.ping(b"there?")
        await true(lambda: channels.handed_out == 3)
        channels.publish(*parts[2:])
        seen: list[WSMsgType] = []
        async with asyncio.timeout(DEADLINE):
            while len(seen) < 2:
                frame = await websocket.receive()
                if frame.type in (WSMsgType.BINARY, WSMsgType.PONG):
                    seen.append(frame.type)
    assert set(seen) == {WSMsgType.BINARY, WSMsgType.PONG}


async def test_a_v1_frame_is_what_the_host_made() -> None:
    strange = b"nothing reads this"
    channels = ScriptedChannels(encode_frame(FrameKind.MESSAGE, 1, strange))
    async with scripted_server(channels) as server, server.socket() as websocket:
        async with asyncio.timeout(DEADLINE):
            assert await websocket.receive_bytes() == strange


@PROTOCOLS
@pytest.mark.parametrize(
    ("hole", "said"),
    [
        (
            b'{"reason":"The disk is full.","messages":12}',
            "12 messages are no longer kept. The disk is full.",
        ),
        (b'{"reason":"It was.","messages":1}', "1 message is no longer kept. It was."),
        (b'{"reason":"Nobody knows.","more":[]}', "Messages are no longer kept. Nobody knows."),
    ],
)
async def test_a_hole_is_told_on_stderr(protocol: str | None, hole: bytes, said: str) -> None:
    channels = ScriptedChannels(encode_frame(FrameKind.HOLE, 13, hole), *frames_of(output(13), after=12))
    async with scripted_server(channels) as server, server.socket(protocol) as websocket:
        told = await next_message(websocket)
        assert (told.channel, told.read_header().msg_type) == (Channel.IOPUB, "stream")
        assert told.read_content() == {"name": "stderr", "text": f"[kernelway: {said}]\n"}
        assert told.read_parent_header().msg_id == ""
        assert await next_ids(websocket, 1) == [13]
        # A pong behind the hole does not claim what follows it.
        receiving = asyncio.create_task(websocket.receive())
        await true(lambda: channels.received()[-1:] == [13])
        receiving.cancel()
        assert set(channels.received()) <= {12, 13}


@PROTOCOLS
async def test_a_message_that_a_frame_cannot_hold_is_left_out_and_logged(
    protocol: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Message(Channel.IOPUB, b"no json")
    channels = ScriptedChannels(*frames_of(broken, output(2)))
    async with scripted_server(channels) as server, server.socket(protocol) as websocket:
        if protocol is not None:
            assert (await next_message(websocket)).header == b"no json"
        assert await next_ids(websocket, 1) == [2]
    left_out = [record for record in caplog.records if "is not passed on" in record.getMessage()]
    assert len(left_out) == (0 if protocol else 1)


async def test_a_frame_of_the_host_that_is_none_is_no_fault_of_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scripted_server(ScriptedChannels(b"\xff" * 20)) as server, server.socket() as websocket:
        async with asyncio.timeout(DEADLINE):
            while (frame := await websocket.receive()).type is not WSMsgType.CLOSE:
                pass
        assert frame.data == 1011
    assert "The host sent a frame that is none" in caplog.text


# From the client


@PROTOCOLS
async def test_what_a_client_sends_becomes_numbered_requests(protocol: str | None) -> None:
    channels = ScriptedChannels()
    same = Message(Channel.SHELL, b'{"msg_id":"again"}', buffers=(b"abc",))
    async with scripted_server(channels) as server, server.socket(protocol) as websocket:
        for _ in range(3):
            encoded = encode_default(same) if protocol is None else encode_v1(same)
            await websocket.send_bytes(encoded if isinstance(encoded, bytes) else encoded.encode())
        await true(lambda: len(channels.requests()) == 3)
    assert [number for number, _ in channels.requests()] == [1, 2, 3]
    assert {message.read_header().msg_id for _, message in channels.requests()} == {"again"}
    assert [bytes(each) for _, message in channels.requests() for each in message.buffers] == [b"abc"] * 3


async def test_a_client_is_told_of_each_restart_once() -> None:
    """JupyterLab connects anew whenever it hears of one, before it has answered a ping."""
    header = b'{"msg_id":"%d","msg_type":"status"}'
    one, other = (
        Message(Channel.IOPUB, header % number, content=b'{"execution_state":"restarting"}')
        for number in (1, 3)
    )
    talk = output(2)
    talk = Message(Channel.IOPUB, talk.header, content=b'{"text":""restarting""}')
    first = ScriptedChannels(*frames_of(one, talk))
    second = ScriptedChannels(*frames_of(one, talk, other))
    async with scripted_server(first, second) as server:
        async with server.socket(query={"session_id": "s"}) as websocket:
            assert await next_ids(websocket, 2) == [1, 2]
        async with server.socket(query={"session_id": "s"}) as websocket:
            assert await next_ids(websocket, 2) == [2, 3]


async def test_a_stock_client_resumes_and_each_of_its_sockets_is_a_link() -> None:
    async with scripted_server(ScriptedChannels(), ScriptedChannels()) as server:
        for query in ({"session_id": "s"}, {"session_id": "s", "replay": "all"}):
            async with server.socket(query=query):
                pass
        one, other = server.host.joined
    assert (one.session, other.session) == ("s", "s")
    assert one.link != other.link
    assert (one.resume, one.replay_all, other.resume, other.replay_all) == (True, False, False, True)


async def test_a_clients_own_protocol_is_chosen_by_the_client() -> None:
    async with scripted_server(ScriptedChannels()) as server:
        for offered, chosen in (
            ((V1_SUBPROTOCOL, LINK_SUBPROTOCOL), V1_SUBPROTOCOL),
            ((LINK_SUBPROTOCOL, V1_SUBPROTOCOL), LINK_SUBPROTOCOL),
            (("v2.kernel",), None),
        ):
            async with server.http.ws_connect("api/kernels/k/channels", protocols=offered) as websocket:
                assert websocket.protocol == chosen


@PROTOCOLS
async def test_a_position_that_is_gone_is_told_before_the_upgrade(protocol: str | None) -> None:
    async with scripted_server(ScriptedChannels()) as server:
        server.host.refusal = PositionGone("It is no longer kept.", oldest=17)
        with pytest.raises(WSServerHandshakeError) as caught:
            async with server.socket(protocol, query={"after": "m"}):
                pass
        assert caught.value.status == 410


# Receipts


async def test_a_pong_is_a_receipt() -> None:
    channels = ScriptedChannels(*frames_of(*map(output, range(1, 6))))
    async with scripted_server(channels) as server, server.socket() as websocket:
        assert await next_ids(websocket, 5) == [1, 2, 3, 4, 5]
        receiving = asyncio.create_task(websocket.receive())
        await true(lambda: channels.received() == [5])
        channels.publish(*frames_of(output(6), after=5))
        assert (await receiving).type is WSMsgType.BINARY
        receiving = asyncio.create_task(websocket.receive())
        await true(lambda: channels.received() == [5, 6])
        receiving.cancel()


async def test_what_was_written_to_a_client_that_answers_pings_is_not_received_without_one() -> None:
    channels = ScriptedChannels()
    async with scripted_server(channels) as server:
        async with server.socket(pongs=False) as websocket:
            # It answers the very first ping, and none after it.
            async with asyncio.timeout(DEADLINE):
                first = await websocket.receive()
            assert first.type is WSMsgType.PING
            await websocket.pong(first.data)
            channels.publish(*frames_of(*map(output, range(1, 6))))
            assert await next_ids(websocket, 5) == [1, 2, 3, 4, 5]
            cut(websocket)
        await channels.closed()
    assert channels.received() == []


async def test_a_client_is_asked_after_every_64_kib() -> None:
    channels = ScriptedChannels(*frames_of(*(output(number, 1 << 14) for number in range(1, 65))))
    asked: list[int] = []
    async with scripted_server(channels) as server, server.socket(pongs=False) as websocket:
        came = 0
        async with asyncio.timeout(DEADLINE):
            while came < 64:
                frame = await websocket.receive()
                came += frame.type is WSMsgType.BINARY
                if frame.type is WSMsgType.PING:
                    asked.append(int.from_bytes(frame.data, "little"))
                    assert asked[-1] <= came
                    await websocket.pong(frame.data)
        await true(lambda: channels.received()[-1:] == asked[-1:])
    assert len(asked) >= 16
    assert max(later - earlier for earlier, later in itertools.pairwise(asked)) <= 4


async def test_pongs_that_nobody_asked_for_say_nothing() -> None:
    channels = ScriptedChannels(*frames_of(output(1)))
    async with scripted_server(channels) as server, server.socket(pongs=False) as websocket:
        assert await next_ids(websocket, 1) == [1]
        for payload in (b"", b"hello", (2).to_bytes(8, "little"), b"\xff" * 8):
            await websocket.pong(payload)
        await websocket.send_bytes(encode_v1(Message(Channel.SHELL, b"{}")))
        await true(lambda: len(channels.requests()) == 1)
        assert channels.received() == []


async def test_what_was_written_counts_where_a_client_leaves_that_never_answered() -> None:
    channels = ScriptedChannels(*frames_of(*map(output, range(1, 6))))
    async with scripted_server(channels) as server:
        async with server.socket(pongs=False) as websocket:
            assert await next_ids(websocket, 5) == [1, 2, 3, 4, 5]
        await channels.closed()
    assert channels.received() == [5]


async def test_what_was_written_counts_where_a_connection_breaks_that_never_answered() -> None:
    channels = ScriptedChannels()
    async with scripted_server(channels) as server:
        async with server.socket(pongs=False) as websocket:
            # It has had a second to answer its first ping.
            loop = asyncio.get_running_loop()
            first = loop.time()
            number = 0
            while loop.time() < first + 1.5:
                number += 1
                channels.publish(*frames_of(output(number), after=number - 1))
                assert await next_ids(websocket, 1) == [number]
            cut(websocket)
        await channels.closed()
    # All but what was written last, maybe, of which nobody had noted yet that it left.
    assert len(channels.received()) == 1
    assert 0 <= number - channels.received()[0] <= 1


async def test_a_session_that_answered_before_is_known_to_answer() -> None:
    one, other = ScriptedChannels(), ScriptedChannels(*frames_of(output(1)))
    async with scripted_server(one, other) as server:
        async with server.socket(query={"session_id": "s"}) as websocket:
            receiving = asyncio.create_task(websocket.receive())
            await websocket.ping()
            one.publish(*frames_of(output(1)))
            await receiving
            receiving = asyncio.create_task(websocket.receive())
            await true(lambda: one.received() == [1])
            cut(websocket)
            await receiving
        await one.closed()
        async with server.socket(pongs=False, query={"session_id": "s"}) as websocket:
            assert await next_ids(websocket, 1) == [1]
        await other.closed()
    assert other.received() == []


async def test_a_gateway_that_stops_tells_what_counts_as_received() -> None:
    channels = ScriptedChannels(*frames_of(*map(output, range(1, 6))))
    async with scripted_server(channels) as server, server.socket(pongs=False) as websocket:
        assert await next_ids(websocket, 5) == [1, 2, 3, 4, 5]
        # As long as it has not answered for a second nobody knows whether it is one that does.
        await asyncio.sleep(1.1)
        await server.app.shutdown()
        from kernelway.gateway.channels import SOCKETS

        server.app[SOCKETS].close()
        assert (await channels.closed())[0] == 1012
    assert channels.received() == [5]


# Silence


async def test_a_client_that_never_answers_stays_while_it_reads() -> None:
    channels = ScriptedChannels(*frames_of(*(output(number, 1 << 16) for number in range(1, 200))))
    async with (
        scripted_server(channels, interval=0.1, timeout=0.4) as server,
        server.socket(pongs=False) as websocket,
    ):
        assert await next_ids(websocket, 199) == list(range(1, 200))
        done, _ = await asyncio.wait({asyncio.create_task(channels.wait_closed())}, timeout=1.5)
        assert not done
        channels.publish(*frames_of(output(200), after=199))
        assert await next_ids(websocket, 1) == [200]


async def test_a_client_that_answered_and_then_is_silent_stays() -> None:
    """As a script does that receives while it executes something, and not in between."""
    channels = ScriptedChannels()
    async with (
        scripted_server(channels, interval=0.1, timeout=0.4) as server,
        server.socket(pongs=False) as websocket,
    ):
        async with asyncio.timeout(DEADLINE):
            await websocket.pong((await websocket.receive()).data)
        closed = asyncio.create_task(channels.wait_closed())
        assert not (await asyncio.wait({closed}, timeout=1.5))[0]
        closed.cancel()
        channels.publish(*frames_of(output(1)))
        assert await next_ids(websocket, 1) == [1]


async def test_a_client_that_never_answered_is_cut_where_it_does_not_read() -> None:
    channels = ScriptedChannels(*frames_of(*(output(number, 1 << 20) for number in range(1, 50))))
    async with (
        scripted_server(channels, interval=0.1, timeout=0.4) as server,
        server.socket(pongs=False),
    ):
        assert await channels.closed() == (1012, "The connection ended.")
        assert channels.handed_out < 50
