"""The bound sockets, with bare ZeroMQ at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
import zmq.asyncio
from tests.support.processes import free_port

from kernelway.bridge.connection import PORTS, Connection, new_connection
from kernelway.bridge.sockets import Ends, Publisher, bind
from kernelway.protocol.errors import ConfigError

DEADLINE = 30.0
LARGE = bytes(1 << 16)


@contextmanager
def bound(connection: Connection | None = None) -> Iterator[Ends]:
    ends = bind(connection or new_connection())
    try:
        yield ends
    finally:
        for socket in ends.sockets.values():
            socket.stop()
        ends.close()


class Peers:
    """Sockets that are connected to some of a bridge's."""

    def __init__(self, ends: Ends) -> None:
        self._connection = ends.connection
        self.context = zmq.asyncio.Context()

    def connect(self, name: str, kind: zmq.SocketType, *, mark: int = 1000) -> zmq.asyncio.Socket:
        socket = self.context.socket(kind)
        socket.rcvhwm, socket.linger = mark, 0
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(f"tcp://127.0.0.1:{self._connection.port(name)}")
        return socket


@contextmanager
def peers(ends: Ends) -> Iterator[Peers]:
    peers = Peers(ends)
    try:
        yield peers
    finally:
        peers.context.destroy(linger=0)


async def subscribed(ends: Ends, count: int) -> None:
    """Wait until so many have subscribed."""
    arrived = asyncio.Semaphore(0)
    ends.sockets["iopub"].listen(lambda _: arrived.release())
    async with asyncio.timeout(DEADLINE):
        for _ in range(count):
            await arrived.acquire()


def test_ports_that_are_named_are_bound_and_others_chosen() -> None:
    named = free_port()
    with bound(Connection(shell_port=named)) as ends:
        assert ends.connection.shell_port == named
        assert len({ends.connection.port(name) for name in PORTS}) == len(PORTS)
        assert all(ends.connection.ports.values())


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with bound() as ends, pytest.raises(ConfigError, match="control channel cannot be bound"):
        bind(Connection(control_port=ends.connection.control_port))


def test_the_same_ports_can_be_bound_again_at_once() -> None:
    with bound() as ends:
        first = ends.connection
    with bound(first) as ends:
        assert ends.connection == first


async def test_what_waits_in_a_socket_is_heard_in_order_once_somebody_listens() -> None:
    with bound() as ends, peers(ends) as peer:
        client = peer.connect("shell", zmq.DEALER)
        for n in range(200):
            await client.send_multipart([str(n).encode(), b"x"])
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        ends.sockets["shell"].listen(lambda parts: heard.put_nowait(bytes(parts[1])))
        async with asyncio.timeout(DEADLINE):
            assert [await heard.get() for _ in range(200)] == [str(n).encode() for n in range(200)]


async def test_a_socket_that_was_paused_loses_nothing() -> None:
    with bound() as ends, peers(ends) as peer:
        client, shell = peer.connect("shell", zmq.DEALER), ends.sockets["shell"]
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        def hear(parts: object) -> None:
            assert isinstance(parts, list)
            heard.put_nowait(parts[1])
            shell.pause()

        shell.listen(hear)
        for n in range(5):
            await client.send(str(n).encode())
        async with asyncio.timeout(DEADLINE):
            for n in range(5):
                assert await heard.get() == str(n).encode()
                assert heard.empty()
                shell.resume()


async def test_a_listener_that_fails_hears_the_next_message(caplog: pytest.LogCaptureFixture) -> None:
    with bound() as ends, peers(ends) as peer:
        client = peer.connect("shell", zmq.DEALER)
        heard = asyncio.Event()

        def hear(parts: object) -> None:
            assert isinstance(parts, list)
            if parts[1] == b"bad":
                raise ValueError
            heard.set()

        ends.sockets["shell"].listen(hear)
        await client.send(b"bad")
        await client.send(b"good")
        await asyncio.wait_for(heard.wait(), DEADLINE)
    assert "is lost" in caplog.text


async def test_a_publisher_waits_for_a_slow_subscriber_and_nothing_is_dropped() -> None:
    with bound() as ends, peers(ends) as peer:
        slow = peer.connect("iopub", zmq.SUB, mark=1)
        publisher = Publisher(ends.sockets["iopub"])
        await subscribed(ends, 1)
        count = 0
        async with asyncio.timeout(DEADLINE):
            while not publisher.waits:
                publisher.publish([str(count).encode(), LARGE])
                count += 1
            room = asyncio.create_task(publisher.room())
            got = [(await slow.recv_multipart())[0] for _ in range(count)]
            await room
    assert got == [str(n).encode() for n in range(count)]


async def test_a_subscriber_that_has_hung_is_left_out_and_the_others_hear_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with bound() as ends, peers(ends) as peer:
        hung = peer.connect("iopub", zmq.SUB, mark=1)
        reads = peer.connect("iopub", zmq.SUB, mark=0)
        publisher = Publisher(ends.sockets["iopub"], hung_after=0.2)
        await subscribed(ends, 2)
        async with asyncio.timeout(DEADLINE):
            for first in range(0, 4000, 100):
                for n in range(first, first + 100):
                    await publisher.room()
                    publisher.publish([str(n).encode(), LARGE])
                await publisher.room()
                # Who reads along is never behind by so many that it would be left out, too.
                assert await _read(reads, 100) == [str(n).encode() for n in range(first, first + 100)]
        assert hung.get(zmq.EVENTS) & zmq.POLLIN
    assert caplog.text.count("has taken nothing") == 1


async def test_once_a_subscriber_has_left_the_others_are_waited_for_again() -> None:
    with bound() as ends, peers(ends) as peer:
        publisher = Publisher(ends.sockets["iopub"], hung_after=0.2)
        hung = peer.connect("iopub", zmq.SUB, mark=1)
        await subscribed(ends, 1)
        async with asyncio.timeout(DEADLINE):
            while not publisher.waits:
                publisher.publish([LARGE])
            await publisher.room()
            left = asyncio.Event()
            ends.sockets["iopub"].stop()
            ends.sockets["iopub"].listen(lambda parts: left.set() if bytes(parts[0])[:1] == b"\0" else None)
            hung.close()
            await left.wait()
            publisher.subscriber_left()
            slow = peer.connect("iopub", zmq.SUB, mark=1)
            ends.sockets["iopub"].stop()
            await subscribed(ends, 1)
            count = 0
            while not publisher.waits:
                publisher.publish([str(count).encode(), LARGE])
                count += 1
            room = asyncio.create_task(publisher.room())
            assert await _read(slow, count) == [str(n).encode() for n in range(count)]
            await room


async def _read(socket: zmq.asyncio.Socket, count: int) -> list[bytes]:
    return [(await socket.recv_multipart())[0] for _ in range(count)]


async def test_a_reply_to_who_has_gone_says_so() -> None:
    with bound() as ends, pytest.raises(zmq.ZMQError) as raised:
        ends.sockets["shell"].try_send([b"nobody", b"x"])
    assert raised.value.errno == zmq.EHOSTUNREACH


async def test_with_keys_for_it_connections_are_encrypted() -> None:
    public, secret = zmq.curve_keypair()
    keys = Connection(curve_publickey=public.decode(), curve_secretkey=secret.decode())
    with bound(keys) as ends, peers(ends) as peer:
        heard: asyncio.Queue[object] = asyncio.Queue()
        ends.sockets["shell"].listen(heard.put_nowait)
        socket = peer.context.socket(zmq.DEALER)
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = public, secret, public
        socket.connect(f"tcp://127.0.0.1:{ends.connection.shell_port}")
        plain = peer.connect("shell", zmq.DEALER)
        await plain.send(b"plain")
        await socket.send(b"hidden")
        parts = await asyncio.wait_for(heard.get(), DEADLINE)
        assert isinstance(parts, list)
        assert parts[1] == b"hidden"
