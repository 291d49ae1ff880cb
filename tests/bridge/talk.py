"""Bridges in the test's own event loop, with Jupyter's own client at their sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from tests.client.gateways import Place

from kernelway.bridge.bridging import Bridge
from kernelway.bridge.connection import Connection, new_connection
from kernelway.bridge.orders import Target
from kernelway.bridge.sockets import Ends, bind
from kernelway.bridge.starting import Wanted, start
from kernelway.client import Gateway
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.models import KernelId
from kernelway.protocol.signing import Signer
from kernelway.protocol.zmq_framing import decode

DEADLINE = 30.0


@dataclass(slots=True)
class Done:
    """What came of a request: iopub and stdin messages in their order, and the reply."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(each["content"]["text"] for each in self.outputs if each["msg_type"] == "stream")

    @property
    def types(self) -> list[str]:
        return [each["msg_type"] for each in self.outputs]

    @property
    def status(self) -> str:
        return str(self.reply["content"]["status"])


class Client:
    """A client at the sockets of a bridge."""

    def __init__(self, kernel: AsyncKernelClient) -> None:
        self.kernel = kernel

    async def execute(self, code: str, **more: Any) -> Done:
        """Run code and read all that comes of it."""
        return await self.answer(self.kernel.execute(code, **more))

    async def answer(self, msg_id: str) -> Done:
        """Read what belongs to a request, until its reply and its idle."""
        done = Done()
        async with asyncio.timeout(DEADLINE):
            while not (done.outputs and is_idle(done.outputs[-1])):
                message = await self.kernel.get_iopub_msg()
                if message["parent_header"].get("msg_id") == msg_id:
                    done.outputs.append(message)
            while done.reply.get("parent_header", {}).get("msg_id") != msg_id:
                done.reply = await self.kernel.get_shell_msg()
        return done

    async def control(self, msg_type: str, content: dict[str, Any]) -> dict[str, Any]:
        """Ask on control, and read the reply."""
        message = self.kernel.session.msg(msg_type, content)
        self.kernel.control_channel.send(message)
        async with asyncio.timeout(DEADLINE):
            while True:
                reply: dict[str, Any] = await self.kernel.get_control_msg()
                if reply["parent_header"]["msg_id"] == message["header"]["msg_id"]:
                    return reply

    async def until(self, msg_type: str, *, text: str = "") -> dict[str, Any]:
        """The next message of a type on iopub, with this in its content."""
        async with asyncio.timeout(DEADLINE):
            while True:
                message: dict[str, Any] = await self.kernel.get_iopub_msg()
                if message["msg_type"] == msg_type and text in str(message["content"]):
                    return message


def is_idle(message: dict[str, Any]) -> bool:
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


@dataclass(frozen=True, slots=True)
class Bridged:
    """A bridge that serves."""

    bridge: Bridge
    ends: Ends
    gateway: Gateway
    kernel_id: KernelId
    ended: asyncio.Task[int]

    @asynccontextmanager
    async def client(self, **changed: Any) -> AsyncIterator[Client]:
        """A client that has heard from the kernel, and is subscribed."""
        async with client_at(self.ends.connection, **changed) as client:
            yield client

    async def status(self) -> int:
        async with asyncio.timeout(DEADLINE):
            return await self.ended


@asynccontextmanager
async def client_at(
    connection: Connection, *, waits: bool = True, iopub: bool = True, **changed: Any
) -> AsyncIterator[Client]:
    """Jupyter's asynchronous client, which waits for the kernel if it can hear it.

    ``changed`` is what it believes of the connection file instead.
    """
    context = zmq.asyncio.Context()
    kernel = AsyncKernelClient(context=context)
    kernel.load_connection_info({**connection.fields(), **changed})
    kernel.start_channels(iopub=iopub)
    try:
        if waits and iopub:
            await kernel.wait_for_ready(timeout=DEADLINE)
        yield Client(kernel)
    finally:
        kernel.stop_channels()
        kernel.hb_channel.join(DEADLINE)
        context.destroy(linger=0)


def wanted(file: Path) -> Wanted:
    """A kernel whose lease is long enough for any test."""
    return Wanted(file=file, kernel="python3", name=file.stem, cwd=None, env={}, lease=60.0)


@contextmanager
def subscriber(connection: Connection, *, mark: int = 0) -> Iterator[Callable[[], Awaitable[Message]]]:
    """What gives the next message that is published; many times faster than Jupyter's client."""
    signer = Signer(connection.key.encode())
    with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as socket:
        socket.rcvhwm = mark
        socket.subscribe(b"")
        socket.connect(f"tcp://{connection.ip}:{connection.iopub_port}")

        # What is there already is taken without a future for each message.
        plain = zmq.Socket.shadow(socket)

        async def next_message() -> Message:
            try:
                parts = plain.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                parts = await socket.recv_multipart()
            return decode(parts, Channel.IOPUB, signer)

        yield next_message


@asynccontextmanager
async def bridged(
    place: Place,
    file: Path,
    *,
    url: str | None = None,
    owns: bool = True,
    connection: Connection | None = None,
) -> AsyncIterator[Bridged]:
    """A bridge to a new kernel, which ends with the block; ``url`` leads to the gateway by another way."""
    ends = bind(connection or new_connection())
    bridge = Bridge(ends, owns=owns)
    bridge.listen()
    try:
        async with (
            place.gateway(alone=False) as straight,
            Gateway(url or place.base_url, token=place.token) as gateway,
        ):
            kernel_id, session_id = await start(straight, wanted(file))
            target = Target(gateway=gateway, where="gpu", kernel_id=kernel_id, session_id=session_id)
            task = asyncio.create_task(bridge.run(bridge.serve(target, everything=True)))
            try:
                yield Bridged(bridge, ends, straight, kernel_id, task)
            finally:
                bridge.end(0)
                await asyncio.wait({task}, timeout=DEADLINE)
                if kernel_id in {each.id for each in await straight.kernels()}:
                    await straight.rest.shutdown_kernel(kernel_id)
    finally:
        ends.close()
