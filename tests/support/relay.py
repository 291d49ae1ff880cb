"""A TCP relay in the test's own event loop, which breaks what goes through it where it is told to."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Self

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CHUNK = 1 << 16


class Direction(Enum):
    """Which way bytes go."""

    TO_CLIENT = "to client"
    TO_SERVER = "to server"


class Relay:
    """Forwards every connection to a port of 127.0.0.1; entering listens, leaving resets what is open.

    A connection is reset on both sides at once: what either side had not sent by then is lost, as where a
    network goes away.
    """

    def __init__(self, target: int, *, delay: float = 0.0) -> None:
        self.port = 0
        self.cuts = 0
        """Connections that were reset on purpose."""
        self.passed = dict.fromkeys(Direction, 0)
        """Bytes that were forwarded."""
        self._target = target
        self._delay = delay
        self._listener: socket.socket | None = None
        self._listening: asyncio.Task[None] | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Event()
        self._gate.set()
        self._cut_at: dict[Direction, tuple[int, asyncio.Event]] = {}

    async def __aenter__(self) -> Self:
        self._gate.set()
        self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_listening()
        await self._reset_all()

    def cut(self) -> None:
        """Reset every connection."""
        for task in self._open:
            self.cuts += task.cancel()

    async def cut_within(self, direction: Direction, after: int) -> None:
        """Reset the connection on which the byte comes that has ``after`` before it from now on.

        Those are still forwarded, and so the cut is in the middle of whatever they were a part of.
        """
        done = asyncio.Event()
        self._cut_at[direction] = (self.passed[direction] + after, done)
        try:
            await done.wait()
        finally:
            self._cut_at.pop(direction, None)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Forward nothing meanwhile; connections stay, and new ones are taken."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Refuse new connections meanwhile."""
        await self._stop_listening()
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._listening = asyncio.create_task(self._accept(self._listener), name="relay listens")

    async def _stop_listening(self) -> None:
        assert self._listening is not None
        assert self._listener is not None
        self._listening.cancel()
        await asyncio.wait({self._listening})
        self._listener.close()

    async def _reset_all(self) -> None:
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(self._connection(client), name="relay a connection")
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _connection(self, client: socket.socket) -> None:
        with client, socket.socket() as server:
            for each in (client, server):
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await asyncio.get_running_loop().sock_connect(server, ("127.0.0.1", self._target))
                await self._both_ways(client, server)
            except (OSError, asyncio.CancelledError):
                # One side reset it, or this relay does: the other side shall see the same.
                for each in (client, server):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    async def _both_ways(self, client: socket.socket, server: socket.socket) -> None:
        ways = {
            asyncio.create_task(self._forward(server, client, Direction.TO_CLIENT)),
            asyncio.create_task(self._forward(client, server, Direction.TO_SERVER)),
        }
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        for way in done:
            way.result()

    async def _forward(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, _CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._gate.wait()
            allowed, cut = self._allow(direction, len(data))
            await loop.sock_sendall(target, memoryview(data)[:allowed])
            if cut is not None:
                self.cuts += 1
                cut.set()
                raise ConnectionResetError
        target.shutdown(socket.SHUT_WR)

    def _allow(self, direction: Direction, count: int) -> tuple[int, asyncio.Event | None]:
        """How many bytes go on, and what to tell of the cut behind them."""
        at, done = self._cut_at.get(direction, (self.passed[direction] + count, None))
        allowed = min(count, at - self.passed[direction])
        self.passed[direction] += allowed
        if allowed == count:
            return count, None
        del self._cut_at[direction]
        return allowed, done


class FaultKind(Enum):
    """What goes wrong."""

    CUT = "cut"
    CUT_AND_REFUSE = "cut, and refused for a while"
    HOLD_AND_CUT = "nothing forwarded for a while, then cut"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; ``seconds`` is the while of its kind."""

    kind: FaultKind
    direction: Direction
    after: int
    """Bytes in this direction since the fault before."""
    seconds: float


def random_faults(
    seed: int, count: int, *, to_client: int, to_server: int, longest: float = 0.3
) -> list[Fault]:
    """The same faults for the same seed, at most so many bytes apart in each direction."""
    chance = random.Random(seed)
    within = {Direction.TO_CLIENT: to_client, Direction.TO_SERVER: to_server}

    def fault() -> Fault:
        kind = chance.choices(list(FaultKind), weights=(6, 1, 1))[0]
        direction = chance.choice(list(Direction))
        return Fault(kind, direction, chance.randint(1, within[direction]), chance.uniform(0.01, longest))

    return [fault() for _ in range(count)]


async def suffer(relay: Relay, faults: Sequence[Fault]) -> None:
    """Let one fault after the other happen, as the bytes come."""
    for fault in faults:
        await relay.cut_within(fault.direction, fault.after)
        if fault.kind is FaultKind.CUT_AND_REFUSE:
            async with relay.refusing():
                await asyncio.sleep(fault.seconds)
        elif fault.kind is FaultKind.HOLD_AND_CUT:
            with relay.holding():
                await asyncio.sleep(fault.seconds)
            relay.cut()
