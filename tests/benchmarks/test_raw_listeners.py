"""The clients that only read: frames cut out of bytes, however these come."""

from __future__ import annotations

import asyncio
import struct

import pytest
from benchmarks.exchange import Shortfall
from benchmarks.raw_listeners import RawListener
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelway.protocol.message import Channel, MessageId, SessionId, new_message
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, encode_v1

HANDSHAKE = (
    "HTTP/1.1 101 Switching Protocols\r\n"
    f"Sec-WebSocket-Protocol: {V1_SUBPROTOCOL}\r\n"
    "Upgrade: websocket\r\n\r\n"
).encode("ascii")


class Written(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data

    def abort(self) -> None:
        self.data += b"aborted"


def frame(payload: bytes, opcode: int = 2) -> bytes:
    if len(payload) < 126:
        size = bytes([len(payload)])
    elif len(payload) < 1 << 16:
        size = b"\x7e" + struct.pack(">H", len(payload))
    else:
        size = b"\x7f" + struct.pack(">Q", len(payload))
    return bytes([0x80 | opcode]) + size + payload


def status(state: str, parent: str) -> bytes:
    parent_header = b'{"msg_id":"%b"}' % parent.encode()
    return encode_v1(
        new_message(
            Channel.IOPUB,
            "status",
            {"execution_state": state},
            msg_id=MessageId("m"),
            session=SessionId("s"),
            date="2026-01-01T00:00:00Z",
            parent_header=parent_header,
        )
    )


def connected() -> tuple[RawListener, Written]:
    listener, transport = RawListener(), Written()
    listener.connection_made(transport)
    listener.data_received(HANDSHAKE)
    return listener, transport


def received(data: bytes, step: int) -> list[bytes]:
    """What a listener has of bytes that come so many at a time."""

    async def listen() -> list[bytes]:
        listener = RawListener()
        listener.connection_made(Written())
        for start in range(0, len(data), step):
            listener.data_received(data[start : start + step])
        return listener.frames

    return asyncio.run(listen())


@settings(deadline=None)
@given(st.lists(st.sampled_from([0, 1, 125, 126, 1000]), max_size=4), st.integers(1, 300))
def test_frames_are_the_same_however_the_bytes_come(sizes: list[int], step: int) -> None:
    payloads = [bytes([index]) * size for index, size in enumerate(sizes)]
    assert received(HANDSHAKE + b"".join(map(frame, payloads)), step) == payloads


@pytest.mark.parametrize("size", [65535, 65536])
def test_frames_of_either_length_are_cut(size: int) -> None:
    payloads = [b"a" * size, b"b"]
    assert received(HANDSHAKE + b"".join(map(frame, payloads)), 5000) == payloads


async def test_a_ping_is_answered_with_a_pong_of_the_same_bytes() -> None:
    listener, transport = connected()
    listener.data_received(frame(b"there?", opcode=9))
    assert transport.data == b"\x8a\x86\0\0\0\0there?"


async def test_it_waits_for_the_idle_status_of_the_request_that_was_named() -> None:
    listener, _ = connected()
    listener.data_received(frame(status("idle", "earlier")) + frame(status("busy", "asked")))
    waiting = asyncio.create_task(listener.until_idle("asked"))
    await asyncio.sleep(0)
    assert not waiting.done()
    listener.data_received(frame(status("idle", "asked")))
    await waiting
    assert [message.msg_type for message in listener.take()] == ["status"] * 3
    assert listener.take() == []


async def test_one_that_is_closed_tells_whoever_waits() -> None:
    listener, transport = connected()
    waiting = asyncio.create_task(listener.until_idle("asked"))
    await asyncio.sleep(0)
    listener.data_received(frame(b"\x03\xe8", opcode=8))
    assert transport.data == b"aborted"
    listener.connection_lost(None)
    with pytest.raises(Shortfall, match="connection lost"):
        await waiting


async def test_a_refused_handshake_is_told() -> None:
    listener = RawListener()
    listener.connection_made(Written())
    listener.data_received(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(Shortfall, match="403 Forbidden"):
        await listener.opened
