"""One request to a kernel and all that answers it: what every side does, whatever carries the bytes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from benchmarks.processes import Processes
from kernelway.protocol.message import Buffer, Channel

DEADLINE = 60.0
"""Seconds after which a request that is still unanswered counts as lost."""


_HEARD_DEADLINES = (1, 1, 1, 2, 4, 8, 16)
"""Seconds for each attempt; a server to which many clients connect at once takes some."""


class Shortfall(Exception):
    """A side did not do the work; the message is what a reader of the table should know of it.

    Where part of it was done, ``arrived`` says how much, and the message begins after that number.
    """

    def __init__(self, message: str, *, arrived: int | None = None) -> None:
        super().__init__(message)
        self.arrived = arrived


class Arrived(NamedTuple):
    """A message of a kernel, its headers decoded and its content as it came."""

    channel: Channel
    msg_type: str
    content: Buffer
    buffers: Iterable[Buffer]

    def read_content(self) -> dict[str, Any]:
        """Decode the content."""
        content: dict[str, Any] = json.loads(bytes(self.content))
        return content


@dataclass(frozen=True, slots=True)
class Request:
    """A message to send on shell, and what has to come back before it counts as answered."""

    msg_type: str
    content: Mapping[str, object]
    buffers: tuple[bytes, ...] = ()
    reply: bool = True
    idle: bool = True


@dataclass(slots=True)
class Exchange:
    """Gathers the answers to one request, in their order, until it is complete.

    ``seconds`` is the time from before the request was encoded until the last answer was decoded.
    """

    request: Request
    msg_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    arrived: list[Arrived] = field(default_factory=list)
    reply: Arrived | None = None
    idle: bool = False
    seconds: float = 0.0

    def add(self, parent_id: str, message: Arrived) -> None:
        """Keep a message that answers this request; others are of an earlier one."""
        if parent_id != self.msg_id:
            return
        if message.channel is Channel.SHELL:
            self.reply = message
        elif message.msg_type == "status" and b'"idle"' in bytes(message.content):
            self.idle = True
        else:
            self.arrived.append(message)

    @property
    def complete(self) -> bool:
        """Whether everything came that the request waits for."""
        return (self.idle or not self.request.idle) and (self.reply is not None or not self.request.reply)

    def read_reply(self) -> dict[str, Any]:
        """The content of the reply; :class:`Shortfall` where the kernel did not carry out the request."""
        if self.reply is None:
            raise Shortfall(f"no reply to {self.request.msg_type}")
        content = self.reply.read_content()
        if content.get("status") != "ok":
            raise Shortfall(f"the kernel answered {content.get('ename', content.get('status'))}")
        return content


class Kernel(Protocol):
    """A kernel that one side has started, and its connection to it."""

    async def exchange(self, request: Request, *, deadline: float = DEADLINE) -> Exchange:
        """Send a request and wait until it is answered; :class:`Shortfall` if it is not."""

    async def listen(self, count: int) -> Listeners:
        """Let so many more clients read what the kernel publishes, each with a connection of its own."""

    async def shutdown(self) -> None:
        """End the kernel and close the connection; also where the connection is lost already."""


class Listeners(Protocol):
    """Clients of one kernel that only read, at as little cost as can be, and decode nothing until asked."""

    async def until_idle(self, msg_id: str, *, deadline: float = DEADLINE) -> None:
        """Wait until every client has the last message that answers a request; else :class:`Shortfall`."""

    def take(self) -> list[list[Arrived]]:
        """What each has had on iopub since the last time."""

    async def close(self) -> None:
        """Close the connections."""


class Side(Protocol):
    """One of the things compared."""

    @property
    def name(self) -> str:
        """The name in tables and on the command line."""

    async def start(self) -> None:
        """Start what has to run before kernels can be started."""

    async def start_kernel(self, spec: str = "python3") -> Kernel:
        """Start a kernel and connect to it, without waiting for its first reply."""

    def processes(self) -> Processes:
        """The processes that run for this side now."""

    async def stop(self) -> None:
        """End everything that :meth:`start` started and return when it is gone."""


def execute_request(code: str, *, store_history: bool = True, **expressions: str) -> Request:
    """An execute_request as notebooks send it; the reply carries the values of the expressions."""
    return Request(
        "execute_request",
        {
            "code": code,
            "silent": False,
            "store_history": store_history,
            "user_expressions": expressions,
            "allow_stdin": False,
            "stop_on_error": True,
        },
    )


def expression_value(reply: Mapping[str, Any], name: str) -> str:
    """The text of a user expression's value in the content of an execute_reply."""
    value = reply["user_expressions"][name]
    if value["status"] != "ok":
        raise Shortfall(f"the kernel answered {value['ename']}: {value['evalue']}")
    text: str = value["data"]["text/plain"]
    return text


async def until_iopub_is_heard(kernel: Kernel, listeners: Listeners | None = None) -> None:
    """A new subscription misses what is published before it arrives, so ask until everybody has a status."""
    for deadline in _HEARD_DEADLINES:
        try:
            exchange = await kernel.exchange(Request("kernel_info_request", {}), deadline=deadline)
            if listeners is not None:
                await listeners.until_idle(exchange.msg_id, deadline=deadline)
                listeners.take()
        except Shortfall:
            continue
        return
    raise Shortfall("nothing arrives on iopub")


async def evaluate(kernel: Kernel, expression: str, code: str = "") -> str:
    """Run the code in the kernel, untimed, and return the value of the expression as its ``repr``."""
    exchange = await kernel.exchange(execute_request(code, value=expression))
    return expression_value(exchange.read_reply(), "value")
