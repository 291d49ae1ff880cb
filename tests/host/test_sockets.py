"""KernelSocket against sockets of plain pyzmq; ``inproc`` where a test must know what has arrived."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.host.talk import turn

from kernelway.host.sockets import KernelSocket, new_context
from kernelway.protocol.message import Buffer

DEADLINE = 20.0


class Wire:
    """Peers to connect to, and what was received from them."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self.context = context
        self.folder = folder
        self.received: list[Sequence[Buffer]] = []
        self._closers: list[Callable[[], None]] = []
        self._wanted = 0
        self._enough = asyncio.Event()

    def peer(self, url: str = "inproc://peer", kind: int = zmq.DEALER, **options: Any) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.linger, socket.sndhwm = 0, 0
        for name, value in options.items():
            setattr(socket, name, value)
        socket.bind(url)
        self._closers.append(socket.close)
        return socket

    def connect(
        self,
        url: str = "inproc://peer",
        receive: Callable[[Sequence[Buffer]], None] | None = None,
        kind: zmq.SocketType = zmq.DEALER,
        **options: Any,
    ) -> KernelSocket:
        socket = KernelSocket(self.context, kind, url, receive or self.note, **options)
        self._closers.append(socket.close)
        return socket

    def ipc(self, name: str = "peer") -> str:
        return f"ipc://{self.folder / name}"

    def note(self, parts: Sequence[Buffer]) -> None:
        self.received.append(parts)
        if len(self.received) >= self._wanted:
            self._enough.set()

    async def until_received(self, count: int) -> None:
        self._wanted = count
        if len(self.received) < count:
            self._enough.clear()
            async with asyncio.timeout(DEADLINE):
                await self._enough.wait()

    def numbers(self) -> list[int]:
        return [int(bytes(parts[0])) for parts in self.received]

    def close(self) -> None:
        for close in self._closers:
            close()


@pytest.fixture
async def wire(tmp_path_factory: pytest.TempPathFactory) -> Any:
    # At its end the context warns of a socket that was left open, and a warning is an error here.
    with new_context() as context:
        wire = Wire(context, tmp_path_factory.mktemp("w"))
        yield wire
        wire.close()


async def test_ten_thousand_messages_arrive_in_order(wire: Wire) -> None:
    peer = wire.peer(wire.ipc())
    wire.connect(wire.ipc())
    for number in range(10_000):
        peer.send_multipart([b"%d" % number, b"rest"])
    await wire.until_received(10_000)
    assert wire.numbers() == list(range(10_000))


async def test_what_is_sent_before_the_kernel_binds_arrives_when_it_does(wire: Wire) -> None:
    socket = wire.connect(wire.ipc())
    for number in range(100):
        await send(socket, [b"%d" % number])
    peer = wire.peer(wire.ipc())
    peer.rcvtimeo = int(DEADLINE * 1000)
    assert [int(peer.recv()) for _ in range(100)] == list(range(100))


async def test_replies_are_heard_after_sends_however_they_interleave(wire: Wire) -> None:
    # A send may take the note of an arrival away from the edge-triggered descriptor.
    peer, socket = wire.peer(), wire.connect()
    for number in range(500):
        peer.send(b"%d" % number)
        assert socket.try_send([b"request"])
        if number % 7 == 0:
            await turn()
    await wire.until_received(500)
    assert wire.numbers() == list(range(500))


@pytest.mark.parametrize(
    ("size", "first"),
    [(1, 64), (300 << 10, 4), (2 << 20, 1)],
    ids=["bounded by messages", "bounded by bytes", "each is a turn of its own"],
)
async def test_a_flood_leaves_a_turn_to_a_quiet_socket(wire: Wire, size: int, first: int) -> None:
    flooding, quiet = wire.peer("inproc://flood"), wire.peer("inproc://quiet")
    wire.connect("inproc://flood", lambda parts: wire.note([b"0"]))
    wire.connect("inproc://quiet", lambda parts: wire.note([b"1"]))
    for _ in range(200):
        flooding.send(bytes(size))
    quiet.send(b"")
    await wire.until_received(201)
    assert wire.numbers().index(1) <= first


@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 1, 1 << 16, 1 << 20, 100 << 20])
async def test_parts_of_any_size_arrive_whole(wire: Wire, size: int) -> None:
    peer = wire.peer(wire.ipc())
    wire.connect(wire.ipc())
    part = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    peer.send_multipart([b"first", part, b"last"])
    await wire.until_received(1)
    first, middle, last = wire.received[0]
    assert (first, last) == (b"first", b"last")
    assert len(middle) == size
    assert middle == part


async def test_a_large_part_is_not_copied_out_of_the_socket(wire: Wire) -> None:
    peer, _ = wire.peer(), wire.connect()
    peer.send_multipart([bytes(10), bytes(1 << 20)])
    await wire.until_received(1)
    small, large = wire.received[0]
    assert type(small) is bytes
    assert type(large) is memoryview


async def test_large_messages_are_sent_whole(wire: Wire) -> None:
    peer, socket = wire.peer(wire.ipc()), wire.connect(wire.ipc())
    part = bytes(range(256)) * (1 << 16)
    await send(socket, [b"head", memoryview(part), bytearray(b"tail")])
    peer.rcvtimeo = int(DEADLINE * 1000)
    assert peer.recv_multipart() == [b"head", part, b"tail"]


async def send(socket: KernelSocket, parts: Sequence[Buffer]) -> None:
    """Send a message, waiting while the queue is full."""
    while not socket.try_send(parts):
        await socket.writable()


async def fill(socket: KernelSocket) -> int:
    sent = 0
    while socket.try_send([b"%d" % sent]):
        sent += 1
    assert sent < 10_000
    return sent


async def test_sending_waits_while_the_queue_is_full_and_keeps_the_order(wire: Wire) -> None:
    peer, socket = wire.peer(rcvhwm=10), wire.connect()
    sent = await fill(socket)
    waiting = asyncio.create_task(send(socket, [b"%d" % sent]))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    heard = [int(peer.recv()) for _ in range(sent)]
    async with asyncio.timeout(DEADLINE):
        await waiting
    assert [*heard, int(peer.recv())] == list(range(sent + 1))


async def test_a_full_queue_does_not_keep_replies_from_being_heard(wire: Wire) -> None:
    peer, socket = wire.peer(rcvhwm=10), wire.connect()
    await fill(socket)
    waiting = asyncio.create_task(send(socket, [b"late"]))
    peer.send(b"1")
    await wire.until_received(1)
    peer.send(b"2")
    assert not socket.try_send([b"still full"])
    await wire.until_received(2)
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_closing_ends_those_who_wait_to_send(wire: Wire) -> None:
    wire.peer(rcvhwm=10)
    socket = wire.connect()
    await fill(socket)
    waiting = [asyncio.create_task(send(socket, [b"late"])) for _ in range(3)]
    await turn()
    socket.close()
    async with asyncio.timeout(DEADLINE):
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [ConnectionResetError] * 3
    with pytest.raises(ConnectionError):
        socket.try_send([b"later"])


async def test_closing_after_a_sender_gave_up_is_quiet(wire: Wire) -> None:
    wire.peer(rcvhwm=10)
    socket = wire.connect()
    await fill(socket)
    waiting = asyncio.create_task(send(socket, [b"late"]))
    await turn()
    waiting.cancel()
    await asyncio.wait({waiting})
    socket.close()
    socket.close()


async def test_what_was_sent_before_the_close_goes_out_where_that_is_asked_for(wire: Wire) -> None:
    socket = wire.connect(wire.ipc())
    for number in range(100):
        assert socket.try_send([b"%d" % number])
    socket.close(deliver=True)
    peer = wire.peer(wire.ipc())
    peer.rcvtimeo = int(DEADLINE * 1000)
    assert [int(peer.recv()) for _ in range(100)] == list(range(100))


async def test_one_sender_that_gives_up_does_not_end_the_others(wire: Wire) -> None:
    peer, socket = wire.peer(rcvhwm=10), wire.connect()
    sent = await fill(socket)
    given_up, staying = (asyncio.create_task(send(socket, [name])) for name in (b"gone", b"there"))
    await turn()
    given_up.cancel()
    await asyncio.wait({given_up})
    for _ in range(sent):
        peer.recv()
    async with asyncio.timeout(DEADLINE):
        await staying
    assert peer.recv() == b"there"


async def test_an_error_in_the_receiver_is_logged_and_the_next_messages_arrive(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    def receive(parts: Sequence[Buffer]) -> None:
        wire.note(parts)
        if int(bytes(parts[0])) % 50 == 0:
            raise ValueError("broken on purpose")

    peer, _ = wire.peer(), wire.connect(receive=receive)
    for number in range(200):
        peer.send(b"%d" % number)
    await wire.until_received(200)
    assert wire.numbers() == list(range(200))
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 4
    assert "broken on purpose" in caplog.text


async def test_a_receiver_may_close_its_own_socket(wire: Wire) -> None:
    def receive(parts: Sequence[Buffer]) -> None:
        wire.note(parts)
        if len(wire.received) == 3:
            socket.close()

    peer, socket = wire.peer(), wire.connect(receive=receive)
    for number in range(200):
        peer.send(b"%d" % number)
    await wire.until_received(3)
    await turn()
    assert len(wire.received) == 3


async def test_drained_returns_when_all_that_arrived_was_received(wire: Wire) -> None:
    peer, socket = wire.peer(), wire.connect()
    for number in range(1000):
        peer.send(b"%d" % number)
    async with asyncio.timeout(DEADLINE):
        await socket.drained()
        assert len(wire.received) == 1000
        await socket.drained()


async def test_drained_does_not_wait_for_a_closed_socket(wire: Wire) -> None:
    wire.peer()
    socket = wire.connect()
    waiting = asyncio.create_task(socket.drained())
    await turn()
    socket.close()
    async with asyncio.timeout(DEADLINE):
        await waiting
        await socket.drained()


@pytest.mark.parametrize("url", ["ipc:///" + "long" * 50, "tcp://no.such.host.invalid:x", "nonsense"])
async def test_an_address_that_cannot_be_leaves_no_socket(wire: Wire, url: str) -> None:
    with pytest.raises(zmq.ZMQError):
        wire.connect(url)


async def test_a_subscription_hears_every_topic(wire: Wire) -> None:
    # XPUB tells when the subscription is known, so nothing is published to nobody.
    peer = wire.peer(wire.ipc(), zmq.XPUB, rcvtimeo=int(DEADLINE * 1000))
    wire.connect(wire.ipc(), kind=zmq.SUB)
    assert peer.recv() == b"\x01"
    peer.send_multipart([b"stream", b"1"])
    peer.send_multipart([b"status", b"2"])
    await wire.until_received(2)
    assert [parts[1] for parts in wire.received] == [b"1", b"2"]


async def test_the_identity_is_what_replies_are_addressed_to(wire: Wire) -> None:
    peer = wire.peer(wire.ipc(), zmq.ROUTER, rcvtimeo=int(DEADLINE * 1000))
    socket = wire.connect(wire.ipc(), identity=b"me")
    await send(socket, [b"request"])
    assert peer.recv_multipart() == [b"me", b"request"]
    peer.send_multipart([b"me", b"reply"])
    await wire.until_received(1)
    assert wire.received == [[b"reply"]]


@pytest.mark.parametrize("right", [True, False])
async def test_curve_is_spoken_with_the_server_whose_key_it_is(wire: Wire, right: bool) -> None:
    public, secret = zmq.curve_keypair()
    peer = wire.peer(
        "tcp://127.0.0.1:*", curve_server=True, curve_publickey=public, curve_secretkey=secret, rcvtimeo=300
    )
    key = public if right else zmq.curve_keypair()[0]
    socket = wire.connect(str(peer.getsockopt_string(zmq.LAST_ENDPOINT)), curve_server_key=key)
    await send(socket, [b"secret"])
    if right:
        peer.rcvtimeo = int(DEADLINE * 1000)
        assert peer.recv() == b"secret"
    else:
        with pytest.raises(zmq.Again):
            peer.recv()
