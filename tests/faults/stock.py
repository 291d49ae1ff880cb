"""A client that knows Jupyter's v1 protocol alone, as others than ours do, and what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientError, ClientSession, WSMsgType
from tests.faults.load import difference
from tests.faults.serving import TOKEN
from tests.gateway.served import Socket

from kernelway.protocol.message import SessionId
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, decode_v1

END = -1
"""A number that a kernel shows after all others, where nobody knows their count before."""


@dataclass(slots=True)
class StockClient:
    """Reads what one session hears, and opens its socket again whenever that breaks.

    With ``positioned`` it says which message it had last; without, it leaves that to the server.
    """

    base_url: str
    kernel_id: str
    session: str
    positioned: bool = False
    replay_all: bool = False
    numbers: list[int] = field(default_factory=list)
    last: str | None = None
    """The id of the last message that came."""
    others: list[str] = field(default_factory=list)
    """What came on stderr."""
    sockets: int = 0
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there has been a socket."""

    async def read(self, last_number: int = END) -> None:
        """Read until a number has come."""
        async with ClientSession(headers={"Authorization": f"token {TOKEN}"}) as http:
            while last_number not in self.numbers:
                try:
                    await self._read_one(http, last_number)
                except (ClientError, OSError):
                    # The socket cannot be opened now; the next try is what a client makes of that.
                    await asyncio.sleep(0.1)

    def check(self, count: int) -> int:
        """All numbers below the count came, in order, before the end; how many came again."""
        expected = [*range(count), END]
        firsts = list(dict.fromkeys(self.numbers))
        assert firsts == expected, difference(firsts, expected)
        repeats = len(self.numbers) - len(expected)
        assert not (self.positioned and repeats), difference(self.numbers, expected)
        return repeats

    async def _read_one(self, http: ClientSession, last_number: int) -> None:
        query = {"session_id": self.session}
        if self.positioned and self.last is not None:
            query["after"] = self.last
        elif self.replay_all:
            query["replay"] = "all"
        url = f"{self.base_url}api/kernels/{self.kernel_id}/channels"
        async with http.ws_connect(url, params=query, protocols=(V1_SUBPROTOCOL,)) as websocket:
            self.sockets += 1
            self.connected.set()
            async for frame in websocket:
                if frame.type is WSMsgType.BINARY:
                    self._take(frame.data)
                    if last_number in self.numbers[-1:]:
                        return

    def _take(self, frame: bytes) -> None:
        message = decode_v1(frame)
        header = message.read_header()
        self.last = header.msg_id
        if header.msg_type != "stream":
            return
        content = message.read_content()
        # A hole is told on stderr, and a kernel may say something of its own there at its start.
        if content["name"] == "stdout":
            self.numbers += [int(line) for line in content["text"].split()]
        else:
            self.others.append(content["text"])


@asynccontextmanager
async def stock_socket(base_url: str, kernel_id: str, session: str, **query: str) -> AsyncIterator[Socket]:
    """One socket of a stock client."""
    async with ClientSession(headers={"Authorization": f"token {TOKEN}"}) as http:
        url = f"{base_url}api/kernels/{kernel_id}/channels"
        params = {"session_id": session, **query}
        async with http.ws_connect(url, params=params, protocols=(V1_SUBPROTOCOL,)) as websocket:
            yield Socket(websocket, SessionId(session))
