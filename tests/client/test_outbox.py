"""The messages that the client makes, as a server gets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiohttp import web
from tests.client.scripted import KERNEL_ID, Wire
from tests.support.peers import http_peer

from kernelway.client import Gateway
from kernelway.client.outbox import Outbox
from kernelway.protocol.message import PROTOCOL_VERSION, Channel, Message
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL


async def test_what_reaches_the_server() -> None:
    got: list[Message] = []
    sessions: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/channels"):
            return web.json_response({"id": KERNEL_ID})
        sessions.append(request.query["session_id"])
        websocket = web.WebSocketResponse(protocols=(V1_SUBPROTOCOL,))
        await websocket.prepare(request)
        wire = Wire(websocket)
        got.extend([await wire.request(), await wire.request()])
        await wire.reply(got[0])
        await wire.status("idle", got[0])
        await wire.until_closed()
        return websocket

    async with http_peer(serve) as peer, Gateway(peer.base_url, token="t") as gateway:
        kernel = await gateway.connect(KERNEL_ID)
        execution = kernel.execute("✓", metadata={"cell": 1})
        await kernel.open_comm("target", {"a": 1}, metadata={"m": 2}, buffers=[b"\x00\xff"])
        await execution.reply

    execute, comm = got
    headers = [msgspec.json.decode(message.header) for message in got]
    assert [header["msg_type"] for header in headers] == ["execute_request", "comm_open"]
    assert {header["session"] for header in headers} == set(sessions)
    assert {header["version"] for header in headers} == {PROTOCOL_VERSION}
    assert len({header["msg_id"] for header in headers}) == 2
    assert abs(datetime.now(UTC) - datetime.fromisoformat(headers[0]["date"])) < timedelta(minutes=1)
    assert {message.channel for message in got} == {Channel.SHELL}
    assert execute.read_content()["code"] == "✓"
    assert (execute.read_metadata(), execute.buffers) == ({"cell": 1}, ())
    assert (comm.read_content()["data"], comm.read_metadata()) == ({"a": 1}, {"m": 2})
    assert [bytes(buffer) for buffer in comm.buffers] == [b"\x00\xff"]


async def test_nothing_is_sent_without_a_link() -> None:
    with pytest.raises(RuntimeError, match="needs a link"):
        Outbox().post(Channel.SHELL, "kernel_info_request", {})
