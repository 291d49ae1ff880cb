"""The WebSocket itself: frames, order, bounds, and how its end is told."""

from __future__ import annotations

import asyncio
import struct

import pytest
from aiohttp import web
from tests.client.gateways import Place, kernel_on
from tests.client.scripted import KERNEL_ID, Wire, scripted_kernel
from tests.support.peers import http_peer

from kernelway.client import Gateway, GatewayOptions, InputRequest, Result, Stream
from kernelway.client.http import HttpClient
from kernelway.client.link import Link
from kernelway.client.resume import UNSENT_LIMIT, Came, Joined, Missing
from kernelway.protocol.channels import Joining
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import (
    InternalError,
    KernelDied,
    KernelwayError,
    LimitReached,
    LinkLost,
    NotFound,
    TimedOut,
)
from kernelway.protocol.link_framing import LINK_SUBPROTOCOL, LinkId
from kernelway.protocol.message import Channel, SessionId
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL


async def lost_with(script, *, subprotocol: str | None = V1_SUBPROTOCOL) -> Exception:
    """The error of an execution whose connection the script ends."""
    async with scripted_kernel(script, subprotocol=subprotocol) as kernel:
        with pytest.raises((LinkLost, KernelDied)) as caught:
            async for _ in kernel.execute("1", timeout=20):
                pass
        with pytest.raises(type(caught.value)):
            kernel.execute("2")
        return caught.value


@pytest.mark.parametrize(
    ("code", "reason", "kind", "told"),
    [
        (1001, "going away", LinkLost, "going away (code 1001)"),
        (CloseCode.SERVICE_RESTART, "The gateway is stopping.", LinkLost, "stopping (code 1012)"),
        (4413, "too slow", LinkLost, "too slow (code 4413)"),
        (CloseCode.REPLACED, "", LinkLost, "it gave no reason (code 4409)"),
        (CloseCode.KERNEL_GONE, "The kernel was shut down.", KernelDied, "The kernel was shut down."),
        (CloseCode.KERNEL_DEAD, "It died.", KernelDied, "It died."),
    ],
)
async def test_the_servers_reason_is_in_the_sentence(code, reason, kind, told) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.websocket.close(code=code, message=reason.encode())

    error = await lost_with(script)
    assert type(error) is kind
    assert told in str(error)
    assert KERNEL_ID in str(error)


async def test_a_connection_that_breaks_without_a_word() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        wire.websocket._req.transport.abort()

    error = await lost_with(script)
    assert "broke" in str(error)


def v1_frame(*parts: bytes) -> bytes:
    count = len(parts) + 1
    offsets = [8 * (1 + count)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{count + 1}Q", count, *offsets) + b"".join(parts)


@pytest.mark.parametrize(
    ("subprotocol", "frame"),
    [
        (V1_SUBPROTOCOL, "text"),
        (V1_SUBPROTOCOL, b""),
        (V1_SUBPROTOCOL, b"\xff" * 64),
        (V1_SUBPROTOCOL, v1_frame(b"heartbeat", b"{}", b"{}", b"{}", b"{}")),
        (V1_SUBPROTOCOL, v1_frame(b"iopub", b"not json", b"{}", b"{}", b"{}")),
        (V1_SUBPROTOCOL, v1_frame(b"iopub", b"[]", b"{}", b"{}", b"{}")),
        (V1_SUBPROTOCOL, v1_frame(b"iopub", b'{"msg_type":"status"}', b"{}", b"{}", b"5")),
        (V1_SUBPROTOCOL, v1_frame(b"iopub", b'{"msg_type":"comm_msg"}', b"{}", b"{}", b"null")),
        (None, "{"),
        (None, '{"header": 5}'),
        (None, struct.pack(">2I", 1, 99)),
    ],
)
async def test_a_frame_that_is_no_message_ends_the_link_with_a_clear_error(subprotocol, frame) -> None:
    closed_with = []

    async def script(wire: Wire) -> None:
        await wire.websocket.receive(timeout=10)
        if isinstance(frame, str):
            await wire.websocket.send_str(frame)
        else:
            await wire.websocket.send_bytes(frame)
        await wire.websocket.receive(timeout=10)
        closed_with.append(wire.websocket.close_code)

    error = await lost_with(script, subprotocol=subprotocol)
    assert "sent what is no message" in str(error)
    assert closed_with == [CloseCode.PROTOCOL_ERROR]


@pytest.mark.parametrize("state", [[], {}, None, 5])
async def test_a_status_of_no_known_kind_changes_nothing(state) -> None:
    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.say(Channel.IOPUB, "status", {"execution_state": state})
        await wire.reply(request)
        await wire.status("idle", request)
        await wire.websocket.receive(timeout=10)

    async with scripted_kernel(script) as kernel:
        assert (await kernel.execute("1", timeout=20).reply).status == "ok"


async def test_messages_are_sent_in_the_order_of_the_calls() -> None:
    got = []

    async def script(wire: Wire) -> None:
        for _ in range(300):
            request = await wire.request()
            got.append(request.read_content()["code"])
        await wire.reply(request)
        await wire.status("idle", request)
        await wire.websocket.receive(timeout=10)

    async with scripted_kernel(script) as kernel:
        executions = [kernel.execute(str(number)) for number in range(300)]
        await executions[-1].reply
    assert got == [str(number) for number in range(300)]


async def test_what_waits_to_be_sent_is_bounded() -> None:
    done = asyncio.Event()

    async def script(wire: Wire) -> None:
        await done.wait()

    big = "x" * (UNSENT_LIMIT // 4)
    async with scripted_kernel(script) as kernel:
        for _ in range(4):
            kernel.execute(big)
        with pytest.raises(LimitReached, match="wait for the answers"):
            kernel.execute("1")
        done.set()


async def test_closing_does_not_wait_for_a_server_that_does_not_answer() -> None:
    done = asyncio.Event()

    async def script(wire: Wire) -> None:
        await done.wait()

    async with scripted_kernel(script) as kernel:
        execution = kernel.execute("1")
        async with asyncio.timeout(4):
            await kernel.close()
            await kernel.close()
        with pytest.raises(LinkLost, match="closed on this side"):
            await execution.reply
        done.set()


async def test_a_fault_of_ours_is_told_to_who_waits(caplog: pytest.LogCaptureFixture) -> None:
    lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    class Faulty:
        def came(self, came: Came) -> None:
            raise ZeroDivisionError(came)

        def joined(self, joined: Joined) -> None:
            raise AssertionError(joined)

        def missing(self, missing: Missing) -> None:
            raise AssertionError(missing)

        def taken(self) -> None:
            raise AssertionError

        def lost(self, error: KernelwayError) -> None:
            lost.set_result(error)

    async def serve(request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(protocols=(V1_SUBPROTOCOL,))
        await websocket.prepare(request)
        await Wire(websocket).status("idle")
        await websocket.receive(timeout=10)
        return websocket

    async with http_peer(serve) as peer, HttpClient(GatewayOptions(base_url=peer.base_url)) as http:
        joining = Joining(session=SessionId("s"), link=LinkId("l"))
        link = Link(http, KernelId("k"), joining, Faulty())
        await link.open(timeout=10)
        assert isinstance(await asyncio.wait_for(lost, 10), InternalError)
        await link.close()
    assert "ZeroDivisionError" in caplog.text


async def test_a_server_that_does_not_open_the_channels() -> None:
    done = asyncio.Event()

    async def serve(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/channels"):
            await done.wait()
        return web.json_response({"id": KERNEL_ID})

    async with http_peer(serve) as peer, Gateway(peer.base_url, token="t", timeout=1) as gateway:
        with pytest.raises(TimedOut):
            await gateway.connect(KERNEL_ID)
        done.set()


async def test_no_such_kernel(place: Place) -> None:
    async with place.gateway() as gateway:
        with pytest.raises(NotFound):
            await gateway.connect(KERNEL_ID)


@pytest.mark.parametrize(
    ("fixture", "subprotocol"),
    [
        ("stock_jupyter_server", V1_SUBPROTOCOL),
        ("stock_kernel_gateway", V1_SUBPROTOCOL),
        ("own_gateway", LINK_SUBPROTOCOL),
        ("old_jupyter_server", None),
    ],
)
async def test_our_own_protocol_then_v1_where_it_is_offered_and_the_default_framing_elsewhere(
    request: pytest.FixtureRequest, fixture: str, subprotocol: str | None
) -> None:
    async with kernel_on(request.getfixturevalue(fixture)) as kernel:
        assert kernel.subprotocol == subprotocol
        code = "import sys; _ = sys.stdout.write('ümlaut ✓ \\U0001f40d\\n'); input('name? ')"
        outputs = []
        execution = kernel.execute(code, timeout=30)
        async for output in execution:
            if isinstance(output, InputRequest):
                await execution.answer(output, "Ada Lövelace")
            else:
                outputs.append(output)
    assert outputs == [
        Stream("stdout", "ümlaut ✓ \U0001f40d\n"),
        Result({"text/plain": "'Ada Lövelace'"}, {}, execution_count=1),
    ]
