"""A browser's WebSocket as a relay sees it, which a test reads, holds and answers for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kernelway.client import Gateway
from kernelway.jupyter.notices import Notice, Notices
from kernelway.jupyter.relay import Relay, RestartsTold
from kernelway.jupyter.rules import Rules
from kernelway.protocol.errors import KernelwayError
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.models import KernelId
from kernelway.protocol.websocket_framing import V1, Framing

DEADLINE = 30.0


class Place:
    """A gateway, and the troubles that it was told of."""

    def __init__(self, gateway: Gateway, name: str = "gpu-box") -> None:
        self.name = name
        self.gateway = gateway
        self.troubles: list[KernelwayError] = []

    def trouble(self, error: KernelwayError) -> None:
        self.troubles.append(error)


class Tab:
    """An open WebSocket; with ``holds`` nothing of what is written leaves the server."""

    def __init__(self, framing: Framing = V1, *, answers: bool = True) -> None:
        self.framing = framing
        self.answers = answers
        self.holds = False
        self.seen: list[Message] = []
        self.ending: tuple[int, str] | None = None
        self.held: list[asyncio.Future[None]] = []
        self.relay: Relay | None = None
        self._changed = asyncio.Event()

    def write(self, frame: str | bytes) -> asyncio.Future[None]:
        if self.ending is not None:
            raise ConnectionResetError("It is closed.")
        self.seen.append(self.framing.decode(frame))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.holds:
            self.held.append(done)
        else:
            done.set_result(None)
        self._tell()
        return done

    def release(self) -> None:
        """Let go what is held."""
        held, self.held = self.held, []
        for future in held:
            future.set_result(None)

    def ping(self, payload: bytes) -> None:
        if self.answers and self.relay is not None:
            asyncio.get_running_loop().call_soon(self.relay.answered, payload)

    def close(self, code: int, reason: str) -> None:
        self.ending = self.ending or (code, reason)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something is true that a write, or the end, makes true."""
        async with asyncio.timeout(DEADLINE):
            while not fact():
                await self._changed.wait()

    @property
    def told(self) -> list[tuple[str, Any]]:
        """What came: the types of the messages, and of each what is most telling."""
        return [(each.read_header().msg_type, _telling(each.read_content())) for each in self.seen]

    @property
    def text(self) -> str:
        return "".join(telling for kind, telling in self.told if kind == "stream")

    @property
    def states(self) -> list[str]:
        return [telling for kind, telling in self.told if kind == "status"]

    async def until_told(self, kind: str, telling: object) -> None:
        await self.until(lambda: (kind, telling) in self.told)


def _telling(content: dict[str, Any]) -> Any:
    return content.get("text") or content.get("execution_state") or content.get("status")


@dataclass
class Side:
    """What the tabs of one notebook server share."""

    place: Place
    kernel_id: str
    rules: Rules = field(default_factory=Rules)
    told: list[Notice] = field(default_factory=list)
    restarts: RestartsTold = field(default_factory=RestartsTold)

    def __post_init__(self) -> None:
        self.notices = Notices(self.told.append)

    def new(self, session: str) -> Relay:
        """A relay that is not open yet."""
        return Relay(
            self.place,
            KernelId(self.kernel_id),
            SessionId(session),
            rules=self.rules,
            notices=self.notices,
            restarts=self.restarts,
        )

    @asynccontextmanager
    async def relay(
        self, tab: Tab, session: str = "of-the-tab", *, left_by_itself: bool = True
    ) -> AsyncIterator[Relay]:
        """A relay for a tab, which is closed with the block."""
        relay = self.new(session)
        try:
            await relay.open(timeout=DEADLINE)
            tab.relay = relay
            relay.attach(tab)
            yield relay
        finally:
            await relay.close(left_by_itself=left_by_itself)


def request(
    code: str = "1", *, msg_type: str = "execute_request", channel: Channel = Channel.SHELL
) -> Message:
    """What a tab sends."""
    return new_message(
        channel,
        msg_type,
        {"code": code},
        msg_id=MessageId(uuid.uuid4().hex),
        session=SessionId("of-the-tab"),
        date="2026-11-20T18:30:00+00:00",
    )
