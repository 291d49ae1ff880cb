"""A client of a kernel, as tests need one, and hosts for it to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tests.support.processes import until

from kernelway.host.attachment import Attachment
from kernelway.host.host import Host, HostOptions
from kernelway.host.kernel import KernelLimits
from kernelway.host.lifeline import own_message
from kernelway.protocol.channels import Channels, ChannelsClosed, Joining
from kernelway.protocol.execution import Error, ExecuteReply, Execution, Output, Stream
from kernelway.protocol.link_framing import (
    FrameKind,
    Hole,
    LinkId,
    Welcome,
    encode_frame,
    encode_message_frame,
    head_of,
    message_in,
    told_in,
)
from kernelway.protocol.message import Channel, Message, MessageId, SessionId
from kernelway.protocol.models import KernelId

DEADLINE = 30.0

LIMITS = KernelLimits(start_timeout=DEADLINE, shutdown_wait=4.0)


async def turn() -> None:
    """Let everything that is ready to run in the event loop run once."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_soon(passed.set)
    await passed.wait()


async def until_gone(*processes: psutil.Process) -> None:
    """Wait, for at most five seconds, until the processes have ended; a zombie is somebody else's to reap."""

    async def gone() -> bool:
        return not any(
            process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes
        )

    await until(gone, deadline=5)


@contextlib.asynccontextmanager
async def hosting(**options: Any) -> AsyncIterator[Host]:
    """A host in a folder of its own, of which nothing is left."""
    folder = Path(tempfile.mkdtemp(prefix="h-", dir=os.environ["XDG_RUNTIME_DIR"]))
    settings = {"home": Path("/tmp"), "environ": dict(os.environ), "limits": LIMITS, **options}
    async with Host(HostOptions(folder=folder, **settings)) as host:
        yield host
    assert not folder.exists()


@dataclass(frozen=True, slots=True)
class Ran:
    """What one execution showed, and how it ended."""

    outputs: list[Output]
    reply: ExecuteReply

    @property
    def text(self) -> str:
        return "".join(output.text for output in self.outputs if isinstance(output, Stream))

    @property
    def error(self) -> str | None:
        return next((output.name for output in self.outputs if isinstance(output, Error)), None)


def joining(session: str | None = None, link: str | None = None, **how: Any) -> Joining:
    """How a client joins; with a session and a link that nobody else has, unless they are named."""
    return Joining(
        session=SessionId(session or uuid.uuid4().hex), link=LinkId(link or uuid.uuid4().hex), **how
    )


class Talk:
    """One client's side of a conversation with a kernel, in frames of the link."""

    def __init__(self, channels: Channels, session: SessionId, *, sent: int = 0) -> None:
        self.channels = channels
        self.session = session
        self.sent = sent
        """The number of the last request."""
        self.heard: list[Message] = []
        self.positions: list[int] = []
        """Of the messages and requests that came, read or not."""
        self.requests: list[Message] = []
        self.holes: list[tuple[int, Hole]] = []
        self.taken: list[int] = []
        """The numbers of the WELCOME and of each TAKEN."""
        self.welcome: Welcome | None = None
        self._unread: deque[Message] = deque()

    @property
    def attachment(self) -> Attachment:
        """The connection, where it is one to a kernel that runs."""
        assert isinstance(self.channels, Attachment)
        return self.channels

    async def ask(
        self, msg_type: str, content: dict[str, object], channel: Channel = Channel.SHELL
    ) -> MessageId:
        """Send a request; its id. One that could not be sent has used no number."""
        message = own_message(channel, msg_type, content, self.session)
        await self.send(self.sent + 1, message)
        self.sent += 1
        return message.read_header().msg_id

    async def send(self, number: int, message: Message) -> None:
        """Send a request under a number."""
        await self.channels.send(encode_message_frame(FrameKind.REQUEST, number, message))

    async def tell_received(self, position: int) -> None:
        """Say that everything up to there has come."""
        await self.channels.send(encode_frame(FrameKind.RECEIVED, position))

    async def execute(self, code: str) -> MessageId:
        """Send code to run; the request's id."""
        return await self.ask("execute_request", {"code": code, "silent": False, "allow_stdin": True})

    async def hear(self, wanted: Callable[[Message], bool]) -> Message:
        """The next message that is wanted; those before it are in ``heard``, as it is."""
        async with asyncio.timeout(DEADLINE):
            while True:
                while self._unread:
                    message = self._unread.popleft()
                    self.heard.append(message)
                    if wanted(message):
                        return message
                await self.receive()

    async def receive(self) -> None:
        """Take in what comes next; raises what receiving raises."""
        for frame in await self.channels.receive():
            self._take_in(frame)

    async def hear_until(self, number: int) -> None:
        """Take in what comes until so many requests are taken."""
        async with asyncio.timeout(DEADLINE):
            while not self.taken or self.taken[-1] < number:
                await self.receive()

    async def hear_all(self) -> ChannelsClosed:
        """Everything until the end is in ``heard``; how it ended."""
        async with asyncio.timeout(DEADLINE):
            try:
                while True:
                    await self.receive()
            except ChannelsClosed as closed:
                self.heard += self._unread
                self._unread.clear()
                return closed

    def _take_in(self, frame: bytes) -> None:
        kind, number = head_of(frame)
        assert (kind is FrameKind.WELCOME) == (self.welcome is None), "A WELCOME comes first, and once."
        if kind is FrameKind.WELCOME:
            self.welcome = told_in(frame, Welcome)
        if kind in (FrameKind.WELCOME, FrameKind.TAKEN):
            self.taken.append(number)
            return
        assert not self.positions or number > self.positions[-1], "Positions rise."
        if kind is FrameKind.HOLE:
            self.holes.append((number, told_in(frame, Hole)))
            return
        self.positions.append(number)
        if kind is FrameKind.KEPT_REQUEST:
            self.requests.append(message_in(frame))
        else:
            assert kind is FrameKind.MESSAGE
            self._unread.append(message_in(frame))

    async def hear_type(self, msg_type: str) -> dict[str, Any]:
        """The content of the next message of a type."""
        message = await self.hear(lambda each: each.read_header().msg_type == msg_type)
        return message.read_content()

    async def hear_status(self, state: str) -> None:
        """Wait until the kernel is said to be in a state."""
        while (await self.hear_type("status"))["execution_state"] != state:
            pass

    async def hear_text(self) -> str:
        """The next stream output."""
        return str((await self.hear_type("stream"))["text"])

    async def hear_line(self) -> str:
        """Stream outputs up to the end of a line, which may come in one or in two."""
        line = await self.hear_text()
        while not line.endswith("\n"):
            line += await self.hear_text()
        return line

    async def run(self, code: str) -> Ran:
        """Run code to its end."""
        return await self.result(await self.execute(code))

    async def result(self, request: MessageId) -> Ran:
        """What came of a request to execute."""
        execution, outputs = Execution(request), []

        def finished(message: Message) -> bool:
            output = execution.receive(message)
            if output is not None:
                outputs.append(output)
            return execution.finished

        await self.hear(finished)
        assert execution.reply is not None
        return Ran(outputs, execution.reply)


async def talk_to(host: Host, kernel_id: KernelId, session: str | None = None, **how: Any) -> Talk:
    """Connect to a kernel."""
    asked = joining(session, **how)
    return Talk(await host.connect(kernel_id, asked), asked.session)
