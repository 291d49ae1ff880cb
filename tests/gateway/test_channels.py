"""``/api/kernels/{id}/channels``: real kernels behind real WebSockets, and connections that go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from tests.gateway.scripted import ScriptedChannels, frames_of, scripted_server
from tests.gateway.served import AUTHORIZED, DEADLINE, TOKEN, Served, Socket, connected, own_kernel, served_in
from tests.support.processes import until

from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.errors import KernelDied
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, encode_v1
from kernelway.transport.loop import run_loop

UNKNOWN = "00000000-0000-4000-8000-000000000000"

PROTOCOLS = pytest.mark.parametrize("v1", [True, False], ids=["v1", "default"])

MIB = 1 << 20

ECHO = """
def echo(comm, opening):
    @comm.on_msg
    def answer(message):
        buffers = [bytes(each) for each in message["buffers"]]
        comm.send({"sizes": [len(each) for each in buffers]}, buffers=[each[::-1] for each in buffers])
get_ipython().kernel.comm_manager.register_target("echo", echo)
"""


async def connections(http: ClientSession, kernel_id: str) -> int:
    async with http.get(f"api/kernels/{kernel_id}") as answer:
        count: int = (await answer.json())["connections"]
        return count


def joined(messages: Sequence[Message]) -> str:
    """The text of all stream messages."""
    streams = [each for each in messages if each.read_header().msg_type == "stream"]
    return "".join(each.read_content()["text"] for each in streams)


# The handshake


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), None),
        ((V1_SUBPROTOCOL,), V1_SUBPROTOCOL),
        (("x", V1_SUBPROTOCOL), V1_SUBPROTOCOL),
        ((V1_SUBPROTOCOL, "v2.kernel.websocket.jupyter.org"), V1_SUBPROTOCOL),
        # Any other name in the answer would make @jupyterlab/services take the kernel for dead.
        (("v2.kernel.websocket.jupyter.org",), None),
    ],
)
async def test_v1_is_chosen_if_it_is_offered(
    http: ClientSession, kernel_id: str, offered: tuple[str, ...], chosen: str | None
) -> None:
    async with http.ws_connect(f"api/kernels/{kernel_id}/channels", protocols=offered) as websocket:
        assert websocket.protocol == chosen


async def handshake(http: ClientSession, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """Ask for an upgrade as a WebSocket client does; status and body of the answer that is none."""
    asking = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    async with http.get(path, headers={**asking, **key, **headers}) as answer:
        return answer.status, await answer.json()


async def test_an_unknown_kernel_is_refused_before_the_upgrade(http: ClientSession) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await http.ws_connect(f"api/kernels/{UNKNOWN}/channels")
    assert caught.value.status == 404
    status, body = await handshake(http, f"api/kernels/{UNKNOWN}/channels")
    assert (status, body) == (
        404,
        {"message": f"There is no kernel '{UNKNOWN}' here.", "reason": "Not Found"},
    )


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, {}, 401),
        ({"Authorization": "token wrong"}, {}, 401),
        ({}, {"token": "wrong"}, 401),
        ({"Origin": "https://evil.example"}, {"token": TOKEN}, 403),
        ({**AUTHORIZED, "Host": "evil.example"}, {}, 403),
    ],
)
async def test_who_may_not_come_in_is_refused_before_the_upgrade(
    gateway: Served, kernel_id: str, headers: dict[str, str], query: dict[str, str], status: int
) -> None:
    async with gateway.client({}) as http:
        with pytest.raises(WSServerHandshakeError) as caught:
            await http.ws_connect(f"api/kernels/{kernel_id}/channels", headers=headers, params=query)
        assert caught.value.status == status
        assert await connections_of(gateway, kernel_id) == 0


async def connections_of(gateway: Served, kernel_id: str) -> int:
    async with gateway.client() as http:
        return await connections(http, kernel_id)


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Version": "1"},
        {"Sec-WebSocket-Key": "x"},
    ],
)
async def test_what_is_no_upgrade_is_refused_and_takes_nobodys_place(
    http: ClientSession, kernel_id: str, headers: dict[str, str]
) -> None:
    async with connected(http, kernel_id, session="mine") as socket:
        status, body = await handshake(http, f"api/kernels/{kernel_id}/channels?session_id=mine", **headers)
        assert status == 400
        assert "WebSocket" in body["message"]
        assert await socket.value("1 + 1") == "2"


@pytest.mark.parametrize("session", ["x" * 256, "é" * 128, "\0x"])
async def test_a_session_that_zeromq_cannot_tell_is_refused(
    http: ClientSession, kernel_id: str, session: str
) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        async with connected(http, kernel_id, session=session):
            pass
    assert caught.value.status == 400


@pytest.mark.parametrize("session", ["x" * 255, "é", "a b/c?d=e"])
async def test_a_session_may_have_any_other_name(http: ClientSession, kernel_id: str, session: str) -> None:
    async with connected(http, kernel_id, session=session) as socket:
        assert await socket.value("2 + 2") == "4"


# Messages


@PROTOCOLS
async def test_code_is_executed(http: ClientSession, kernel_id: str, v1: bool) -> None:
    async with connected(http, kernel_id, v1=v1) as socket:
        answers = await socket.execute("print('héllo'); 6 * 7")
    types = [each.read_header().msg_type for each in answers]
    assert set(types) == {"execute_input", "execute_reply", "execute_result", "status", "stream"}
    assert types.count("status") == 2
    channels = {each.read_header().msg_type: each.channel for each in answers}
    assert (channels["stream"], channels["execute_reply"]) == (Channel.IOPUB, Channel.SHELL)
    assert joined(answers) == "héllo\n"


@PROTOCOLS
async def test_buffers_pass_both_ways(http: ClientSession, kernel_id: str, v1: bool) -> None:
    buffers = (b"", b"abc", bytes(range(256)) * 4096)
    async with connected(http, kernel_id, v1=v1) as socket:
        await socket.execute(ECHO)
        await socket.send("comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})
        await socket.send("comm_msg", {"comm_id": "c", "data": {}}, buffers=buffers)
        answer = await socket.until("comm_msg", comm_id="c")
        await socket.send("comm_close", {"comm_id": "c", "data": {}})
    assert answer.read_content()["data"] == {"sizes": [len(buffer) for buffer in buffers]}
    assert [bytes(buffer) for buffer in answer.buffers] == [buffer[::-1] for buffer in buffers]


@PROTOCOLS
async def test_a_question_reaches_the_one_who_asked_for_it(
    http: ClientSession, kernel_id: str, v1: bool
) -> None:
    async with connected(http, kernel_id, v1=v1) as socket, connected(http, kernel_id) as other:
        request = await socket.send("execute_request", {"code": "print(input('who? '))", "allow_stdin": True})
        asked = await socket.until("input_request", prompt="who? ")
        assert asked.channel is Channel.STDIN
        await socket.send("input_reply", {"value": "ana"}, channel=Channel.STDIN)
        await socket.until("status", parent=request, execution_state="idle")
        assert joined(socket.seen) == "ana\n"
        await other.until("status", parent=request, execution_state="idle")
        assert not [each for each in other.seen if each.channel is not Channel.IOPUB]


async def test_control_is_answered_while_the_kernel_is_busy(http: ClientSession, kernel_id: str) -> None:
    async with connected(http, kernel_id) as socket:
        code = "import time\nprint('on')\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt: pass"
        request = await socket.send("execute_request", {"code": code})
        await socket.until("stream", parent=request)
        asked = await socket.send("kernel_info_request", {}, channel=Channel.CONTROL)
        assert (await socket.until("kernel_info_reply", parent=asked)).channel is Channel.CONTROL
        async with http.post(f"api/kernels/{kernel_id}/interrupt") as answer:
            assert answer.status == 204
        await socket.until("status", parent=request, execution_state="idle")


async def test_ten_clients_of_one_kernel(http: ClientSession, kernel_id: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(connected(http, kernel_id, v1=number % 2 == 0))
            for number in range(10)
        ]
        assert await connections(http, kernel_id) == 10
        values = await asyncio.gather(*(each.value(f"print({n})\n{n}") for n, each in enumerate(sockets)))
        assert values == [str(number) for number in range(10)]
        # What the kernel publishes reaches everybody; what it answers only the one who asked.
        for each in sockets:
            while len(joined(each.seen).split()) < 10:
                await each.receive()
        for number, each in enumerate(sockets):
            assert sorted(joined(each.seen).split()) == [str(other) for other in range(10)]
            replies = [one for one in each.seen if one.channel is Channel.SHELL]
            assert len(replies) == 1, number

    async def nobody() -> bool:
        return await connections(http, kernel_id) == 0

    await until(nobody)


async def test_a_large_message_passes(http: ClientSession, kernel_id: str) -> None:
    # Where stock servers lose the connection, at 10 MiB.
    async with connected(http, kernel_id) as socket:
        asked = await socket.send("kernel_info_request", {"padding": "x" * (12 * MIB)})
        await socket.until("kernel_info_reply", parent=asked, status="ok")


# What ends a connection


BAD_FRAMES = [
    (True, "{}", "A text frame came where the v1 protocol has binary frames only."),
    (True, b"", "A v1 frame of 0 bytes is too short to hold its offsets."),
    (True, b"\xff" * 100, "claims 18446744073709551615 offsets"),
    (
        True,
        encode_v1(Message(Channel.SHELL, b"{}")).replace(b"shell", b"hello"),
        "names the channel b'hello'",
    ),
    (True, encode_v1(Message(Channel.IOPUB, b"{}")), "A client cannot send on iopub."),
    (False, "hello", "A frame does not hold the JSON of a message"),
    (False, '{"channel":"shell"}', "missing required field `header`"),
    (False, '{"header":{},"channel":"iopub"}', "A client cannot send on iopub."),
    (False, '{"header":{},"content":' + "[" * 100_000, "A frame does not hold the JSON of a message"),
    (False, '{"header":{},"channel":"' + "é" * 1000 + '"}', "Invalid enum value"),
    (False, struct.pack(">2I", 9, 0), "does not hold the 9 offsets it claims"),
]


@pytest.mark.parametrize(
    ("v1", "frame", "said"), BAD_FRAMES, ids=[str(frame)[:25] for _, frame, _ in BAD_FRAMES]
)
async def test_a_malformed_frame_ends_its_own_connection_alone(
    http: ClientSession, kernel_id: str, v1: bool, frame: str | bytes, said: str
) -> None:
    async with connected(http, kernel_id) as other, connected(http, kernel_id, v1=v1) as socket:
        await socket.send_frame(frame)
        code, reason = await socket.closed()
        assert code == 1002
        assert said in reason
        assert len(reason.encode()) <= 123
        assert await other.value("40 + 2") == "42"


async def test_a_part_that_is_no_json_reaches_nobody_but_the_kernel(
    http: ClientSession, kernel_id: str
) -> None:
    # With v1 nothing on the way reads the parts; the kernel leaves such a message out.
    async with connected(http, kernel_id) as socket:
        await socket.send_frame(encode_v1(Message(Channel.SHELL, b"no json", b"x", b"\xff", b"")))
        assert await socket.value("40 + 2") == "42"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that takes little."""
    folder = tmp_path_factory.mktemp("narrow")
    with served_in(folder, "--max-message-size", "100000") as served:
        yield served


@PROTOCOLS
async def test_a_message_that_is_too_big_ends_its_connection(narrow: Served, v1: bool) -> None:
    async with (
        narrow.client() as http,
        own_kernel(http) as kernel_id,
        connected(http, kernel_id) as other,
        connected(http, kernel_id, v1=v1) as socket,
    ):
        with contextlib.suppress(ConnectionError):
            await socket.send("execute_request", {"code": "#" * 200_000})
        code, _ = await socket.closed()
        assert code == 1009
        assert await other.value("40 + 2") == "42"


CHUNK = "print(end='0123456789abcdef' * (1 << 16))"


async def test_a_slow_reader_sees_everything(http: ClientSession) -> None:
    async with (
        own_kernel(http) as kernel_id,
        connected(http, kernel_id) as reader,
        connected(http, kernel_id) as slow,
    ):
        for _ in range(40):
            # Each is waited for, so that this one never falls behind; together they are far more than the
            # buffers of the other one's sockets hold.
            assert joined(await reader.execute(CHUNK)) == "0123456789abcdef" * (1 << 16)
        chunks = 0
        while chunks < 40:
            message = await slow.receive()
            chunks += len(joined([message])) // MIB
        assert joined(slow.seen) == "0123456789abcdef" * (40 << 16)


async def test_a_newer_socket_of_a_session_takes_the_place_of_the_older(
    http: ClientSession, kernel_id: str
) -> None:
    async with connected(http, kernel_id, session="mine") as older, connected(http, kernel_id) as bystander:
        assert await older.value("1") == "1"
        async with connected(http, kernel_id, session="mine") as newer:
            assert await older.closed() == (4409, "A newer connection has the same kernel and session.")
            assert await newer.value("2") == "2"
            assert await bystander.value("3") == "3"
            assert await connections(http, kernel_id) == 2


async def test_the_clients_of_a_kernel_that_is_ended_are_told(http: ClientSession) -> None:
    async with (
        own_kernel(http) as kernel_id,
        connected(http, kernel_id) as one,
        connected(http, kernel_id, v1=False) as two,
    ):
        async with http.delete(f"api/kernels/{kernel_id}") as answer:
            assert answer.status == 204
        for socket in (one, two):
            await socket.until("status", execution_state="dead")
            assert await socket.closed() == (4404, "The kernel was shut down.")


async def test_clients_stay_connected_over_a_restart(http: ClientSession) -> None:
    async with own_kernel(http) as kernel_id, connected(http, kernel_id) as socket:
        assert await socket.value("kept = 1\nkept") == "1"
        async with http.post(f"api/kernels/{kernel_id}/restart") as answer:
            assert answer.status == 200
        await socket.until("status", execution_state="starting")
        assert await socket.value("'kept' in globals()") == "False"
        assert await connections(http, kernel_id) == 1


async def test_a_gateway_that_stops_closes_with_a_code_after_which_clients_come_back(tmp_path: Path) -> None:
    with served_in(tmp_path) as served:
        async with served.client() as http:
            async with http.post("api/kernels", json={}) as answer:
                kernel_id = (await answer.json())["id"]
            async with connected(http, kernel_id) as socket, connected(http, kernel_id, v1=False) as other:
                ending = asyncio.create_task(asyncio.to_thread(served.process.end))
                for code, reason in (await socket.closed(), await other.closed()):
                    # @jupyterlab/services gives up after these two.
                    assert code not in (1000, 1001, 1006, None)
                    assert reason
                await ending


async def test_a_client_that_goes_without_a_word_is_let_go(gateway: Served, kernel_id: str) -> None:
    async with gateway.client() as http, connected(http, kernel_id) as socket_:
        assert await socket_.value("1") == "1"
        assert await connections_of(gateway, kernel_id) == 1
        response = socket_.websocket._response
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.abort()

        async def nobody() -> bool:
            return await connections_of(gateway, kernel_id) == 0

        await until(nobody)


# Resuming

COUNTING = """
import time
for number in range({count}):
    print(number, flush=True)
    time.sleep({pause})
"""


def numbers(socket_: Socket) -> list[int]:
    """The numbers that were printed, as they came."""
    streams = [each for each in socket_.seen if each.read_header().msg_type == "stream"]
    # A kernel has warnings of its own on stderr.
    printed = [each.read_content() for each in streams if each.read_content()["name"] == "stdout"]
    return [int(number) for content in printed for number in content["text"].split()]


def cut(socket_: Socket) -> None:
    connection = socket_.websocket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


async def see(socket_: Socket, number: int) -> None:
    """Receive until this number was printed."""
    while number not in numbers(socket_):
        await socket_.receive()


async def no_connection(http: ClientSession, kernel_id: str) -> None:
    async def nobody() -> bool:
        return await connections(http, kernel_id) == 0

    await until(nobody)


@PROTOCOLS
async def test_a_session_that_comes_back_gets_what_it_missed(http: ClientSession, v1: bool) -> None:
    async with own_kernel(http) as kernel_id:
        async with connected(http, kernel_id, session="s", v1=v1) as first:
            request = await first.send(
                "execute_request", {"code": COUNTING.format(count=300, pause=0.01), "store_history": False}
            )
            await see(first, 100)
            cut(first)
        async with connected(http, kernel_id, session="other") as other:
            # It hears what comes from now on, and so the end.
            await other.until("status", parent=request, execution_state="idle")
        async with connected(http, kernel_id, session="s", v1=v1) as again:
            await again.until("execute_reply", parent=request)
            await see(again, 299)
        came = numbers(first) + numbers(again)
        assert sorted(set(came)) == list(range(300))
        assert numbers(again) == sorted(numbers(again))
        # What came in the last quarter of a second may come again, and whatever the way takes.
        assert len(came) - 300 < 100


async def test_what_a_client_answered_for_is_not_sent_again(http: ClientSession) -> None:
    async with own_kernel(http) as kernel_id:
        async with connected(http, kernel_id, session="s") as first:
            await first.execute("print(1)")
            with contextlib.suppress(TimeoutError):
                # It answers pings while it receives.
                async with asyncio.timeout(1):
                    while True:
                        await first.receive()
            cut(first)
        await no_connection(http, kernel_id)
        async with connected(http, kernel_id, session="s") as again:
            await again.execute("print(2)")
        assert numbers(again) == [2]


async def test_what_was_written_to_a_client_counts_that_never_answers(http: ClientSession) -> None:
    async with own_kernel(http) as kernel_id:
        async with connected(http, kernel_id, session="s", pongs=False) as first:
            await first.execute("print(1)")
        await no_connection(http, kernel_id)
        async with connected(http, kernel_id, session="s", pongs=False) as again:
            await again.execute("print(2)")
        assert numbers(again) == [2]


async def test_what_was_written_to_a_client_that_answers_does_not_count(http: ClientSession) -> None:
    async with own_kernel(http) as kernel_id:
        async with connected(http, kernel_id, session="s", pongs=False) as first:
            async with asyncio.timeout(DEADLINE):
                frame = await first.websocket.receive()
                while frame.type is not WSMsgType.PING:
                    frame = await first.websocket.receive()
                await first.websocket.pong(frame.data)
            await first.execute("print(1)")
            cut(first)
        await no_connection(http, kernel_id)
        async with connected(http, kernel_id, session="s") as again:
            await again.execute("print(2)")
        assert numbers(again) == [1, 2]


@PROTOCOLS
async def test_a_new_session_may_have_everything(http: ClientSession, v1: bool) -> None:
    async with own_kernel(http) as kernel_id:
        async with connected(http, kernel_id) as first:
            for number in range(5):
                await first.execute(f"print({number})")
        async with connected(http, kernel_id, v1=v1, replay="all") as new:
            await new.execute("print(5)")
        assert numbers(new) == [0, 1, 2, 3, 4, 5]


@PROTOCOLS
async def test_a_replay_goes_on_after_a_message(http: ClientSession, v1: bool) -> None:
    async with own_kernel(http) as kernel_id:
        async with connected(http, kernel_id) as first:
            for number in range(5):
                await first.execute(f"print({number})")
        printed = [each for each in first.seen if each.read_header().msg_type == "stream"]
        async with connected(http, kernel_id, v1=v1, after=printed[2].read_header().msg_id) as new:
            await new.execute("print(5)")
        assert numbers(new) == [3, 4, 5]


async def test_a_message_that_nobody_knows_is_gone(http: ClientSession, kernel_id: str) -> None:
    status, body = await handshake(http, f"api/kernels/{kernel_id}/channels?after=unknown")
    assert (status, body["reason"]) == (410, "Gone")
    assert body["oldest"] >= 1


@pytest.mark.parametrize("query", ["after=m&replay=all", "replay=some", "position=x", "requests=yes"])
async def test_a_query_that_means_nothing_is_refused(http: ClientSession, kernel_id: str, query: str) -> None:
    status, body = await handshake(http, f"api/kernels/{kernel_id}/channels?{query}")
    assert (status, body["reason"]) == (400, "Bad Request")


# The server's side of a connection


def server_side(of: tuple[str, int]) -> socket.socket:
    """A copy of the socket of this process that a client of this address is connected to."""
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.is_socket():
            found = socket.socket(fileno=os.dup(int(descriptor.name)))
            with contextlib.suppress(OSError):
                if found.getpeername() == of:
                    return found
            found.close()
    raise AssertionError(f"nobody is connected to {of}")


@asynccontextmanager
async def scripted(channels: ScriptedChannels, *, v1: bool = True) -> AsyncIterator[Socket]:
    """A client that is connected to these channels, in this process."""
    async with scripted_server(channels) as server, connected(server.http, "k", v1=v1) as socket_:
        yield socket_


@pytest.mark.parametrize("run", [asyncio.run, run_loop], ids=["asyncio", "uvloop"])
def test_small_messages_are_sent_at_once(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    # Nagle's algorithm would hold each back until the one before it is acknowledged, which takes 40 ms.
    async def main() -> None:
        async with scripted(ScriptedChannels()) as client:
            with server_side(client.websocket.get_extra_info("sockname")) as server:
                assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1

    run(main())


async def test_a_long_reason_is_cut_between_letters() -> None:
    channels = ScriptedChannels()
    async with scripted(channels) as client:
        channels.close(4404, "é" * 100)
        assert await client.closed() == (4404, "é" * 61)


async def test_what_was_published_before_the_end_comes_before_the_close() -> None:
    good = Message(Channel.IOPUB, json.dumps({"msg_id": "m"}).encode(), buffers=(bytes(MIB),))
    channels = ScriptedChannels(*frames_of(*[good] * 20))
    channels.close(4404, "The end.")
    async with scripted(channels) as client:
        for _ in range(20):
            assert (await client.receive()).buffers == good.buffers
        assert await client.closed() == (4404, "The end.")


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (ChannelsClosed(4409, "Replaced."), 4409, "Replaced."),
        (KernelDied("The kernel is dead."), 4410, "The kernel is dead."),
        (ZeroDivisionError("ours"), 1011, "Something went wrong in the gateway; its log has the details."),
    ],
)
async def test_what_goes_wrong_with_a_message_ends_the_connection_with_its_reason(
    error: Exception, code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: bytes) -> None:
        if isinstance(error, ChannelsClosed):
            channels.close(error.code, error.reason)
        raise error

    channels = ScriptedChannels(on_send=fail)
    async with scripted(channels) as client:
        await client.send("execute_request", {})
        assert await client.closed() == (code, reason)
    assert ("ZeroDivisionError" in caplog.text) == (code == 1011)
