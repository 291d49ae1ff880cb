"""A stock client's WebSocket as a link: Jupyter's own protocols on one side, a link's frames on the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiohttp import WSMsgType

from kernelway.protocol.channels import Channels, ChannelsClosed
from kernelway.protocol.errors import FrameError, InternalError
from kernelway.protocol.link_framing import (
    HEAD_SIZE,
    START,
    Assembly,
    FrameKind,
    Hole,
    Position,
    encode_frame,
    encode_message_pieces,
    head_of,
    is_part,
    message_in,
    part_in,
    payload_of,
    told_in,
)
from kernelway.protocol.message import Buffer, Channel, Message, MessageId, SessionId, new_message
from kernelway.protocol.models import ExecutionState, timestamp
from kernelway.protocol.receipts import KNOWN_AFTER, PING_DELAY, Receipts
from kernelway.protocol.websocket_framing import V1_SUBPROTOCOL, Frame, Framing
from kernelway.transport import deadlines
from kernelway.transport.api.client_socket import Beat, ClientSocket, Ending
from kernelway.transport.api.relay import left_with, talk

log = logging.getLogger(__name__)

_RESTARTING: Final = b'"restarting"'

_LONGEST_STATUS: Final = 4096
"""Bytes; a status is much shorter, and longer messages are not searched for one."""

_SETTLES: Final = 2.0
"""Seconds that the host has to take the last receipt of a connection."""


@dataclass(slots=True)
class StockClient:
    """What outlives a stock client's socket, for the next one of the same session."""

    answers: bool = False
    """Whether it has ever answered a ping, so that it will."""
    restart_told: Position = START
    """The position of the last ``restarting`` that was written to it."""


class StockSocket:
    """Translates between a stock client and the channels of a kernel."""

    def __init__(
        self, socket: ClientSocket, channels: Channels, framing: Framing, beat: Beat, client: StockClient
    ) -> None:
        self._socket = socket
        self._channels = channels
        self._framing = framing
        self._beat = beat
        self._client = client
        self._receipts = Receipts()
        self._unasked = asyncio.Event()
        self._assembly = Assembly()
        self._large: tuple[Position, int] | None = None
        """The position and the bytes of the large message that is being written."""
        self._requests = 0
        self._left_by_itself = False

    async def serve(self) -> Ending:
        """Translate until either side ends it; with what the socket is to be closed."""
        try:
            return await talk(
                self._socket,
                self._channels,
                self._beat,
                self._to_client(),
                self._from_client(),
                self._ask_again(),
            )
        finally:
            await self._settle()

    # To the client

    async def _to_client(self) -> Ending:
        # Before anything else, so that it is soon known whether this client answers.
        await self._ask()
        while True:
            frames = await self._channels.receive()
            if len(frames) > 1 and self._framing.subprotocol == V1_SUBPROTOCOL:
                await self._pass_on_together(frames)
            else:
                for frame in frames:
                    await self._pass_on(frame)
            self._note_left()

    async def _pass_on_together(self, frames: Sequence[bytes]) -> None:
        """As :meth:`_pass_on`, for frames of which most are likely to be small messages."""
        payloads: list[Buffer] = []
        position, size = START, 0
        for frame in frames:
            kind, number = _as_host_sent(frame)
            if kind is FrameKind.MESSAGE:
                position = Position(number)
                if not self._was_told(frame, position):
                    payloads.append(frame[HEAD_SIZE:])
                    size += len(frame) - HEAD_SIZE
                if size < self._receipts.room:
                    continue
            await self._write_together(payloads, position, size)
            payloads, size = [], 0
            if kind is not FrameKind.MESSAGE:
                await self._pass_on(frame)
        await self._write_together(payloads, position, size)

    async def _write_together(self, payloads: Sequence[Buffer], position: Position, size: int) -> None:
        if payloads:
            await self._socket.put_all(payloads)
        if position > self._receipts.position:
            await self._wrote(position, size)

    async def _pass_on(self, frame: Buffer) -> None:
        try:
            if is_part(frame):
                await self._pass_part(frame)
                return
            kind, number = _as_host_sent(frame)
            position = Position(number)
            if kind is FrameKind.MESSAGE:
                size = 0 if self._was_told(frame, position) else await self._write(frame)
            elif kind is FrameKind.HOLE:
                position = Position(number - 1)
                size = await self._write_message(_told(told_in(frame, Hole)))
            elif kind is FrameKind.KEPT_REQUEST:
                size = 0
            else:
                return
        except FrameError as error:
            raise InternalError(f"The host sent a frame that is none: {error}") from error
        await self._wrote(position, size)

    async def _wrote(self, position: Position, size: int) -> None:
        if self._receipts.wrote(position, size):
            await self._ask()
        elif not self._unasked.is_set():
            self._unasked.set()

    async def _pass_part(self, frame: Buffer) -> None:
        """Pass on a part of a large message as it comes; where it has to be framed anew, once it is whole."""
        if self._framing.subprotocol != V1_SUBPROTOCOL:
            whole = self._assembly.take(frame)
            if whole is not None:
                await self._pass_on(whole)
            return
        left, piece = part_in(frame)
        if self._large is None:
            kind, number = head_of(piece)
            if kind is not FrameKind.MESSAGE:
                raise FrameError(f"a {kind.name} came in parts.")
            left, piece = left - HEAD_SIZE, piece[HEAD_SIZE:]
            self._large = Position(number), left
        await self._socket.put_piece(piece, left)
        if left == len(piece):
            (position, size), self._large = self._large, None
            await self._wrote(position, size)

    def _was_told(self, frame: Buffer, position: Position) -> bool:
        """Whether a frame repeats that the kernel is restarting.

        JupyterLab takes that for news whenever it comes, drops what it waits for and makes another
        connection, before it has answered a ping: to which it would be told once more.
        """
        if len(frame) > _LONGEST_STATUS or _RESTARTING not in frame or not _is_restarting(message_in(frame)):
            return False
        told = position <= self._client.restart_told
        self._client.restart_told = max(position, self._client.restart_told)
        return told

    async def _write(self, frame: Buffer) -> int:
        if self._framing.subprotocol != V1_SUBPROTOCOL:
            return await self._write_message(message_in(frame))
        payload = payload_of(frame)
        await self._socket.put(payload)
        return len(payload)

    async def _write_message(self, message: Message) -> int:
        try:
            encoded = self._framing.encode(message)
        except FrameError as error:
            log.warning("A message that a kernel sent is not passed on: %s", error)
            return 0
        if isinstance(encoded, str):
            text = encoded.encode()
            await self._socket.put(text, WSMsgType.TEXT)
            return len(text)
        await self._socket.put(encoded)
        return len(encoded)

    # From the client

    async def _from_client(self) -> Ending:
        while True:
            frame = await self._socket.receive()
            if frame.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                await self._channels.send(*self._request(frame.data))
            elif frame.type is WSMsgType.PING:
                await self._socket.put(frame.data, WSMsgType.PONG)
            elif frame.type is WSMsgType.PONG:
                await self._answered(frame.data)
            else:
                self._left_by_itself = frame.type is WSMsgType.CLOSE
                return left_with(frame.data)

    def _request(self, data: Frame) -> tuple[Buffer, ...]:
        """What a client sent as a frame of a link, in pieces."""
        message = self._framing.decode(data)
        self._requests += 1
        if self._framing.subprotocol == V1_SUBPROTOCOL and not isinstance(data, str):
            # It was looked at, and goes on as it came.
            return encode_frame(FrameKind.REQUEST, self._requests), data
        frame, more = encode_message_pieces(FrameKind.REQUEST, self._requests, message)
        return frame, *more

    # Receipts

    async def _ask(self) -> None:
        self._unasked.clear()
        await self._socket.ask(self._receipts.ping(asyncio.get_running_loop().time()))

    async def _ask_again(self) -> Ending:
        """Ask about what is not enough to be asked about at once."""
        while True:
            await self._unasked.wait()
            await asyncio.sleep(PING_DELAY)
            self._note_left()
            if self._receipts.unasked and self._socket.has_room:
                await self._ask()
            if not self._receipts.unasked:
                self._unasked.clear()
            if not self._client.answers:
                now = asyncio.get_running_loop().time()
                await self._tell(self._receipts.settled(now, after=self._beat.timeout))

    async def _answered(self, payload: bytes) -> None:
        position = self._receipts.pong(payload)
        # That it answers now is no promise to the socket, which would be cut off for silence: many a script
        # answers while it receives, and receives nothing between two executions.
        self._client.answers |= self._receipts.answered
        await self._tell(position)

    async def _settle(self) -> None:
        """Tell what counts as received at the end of a client that has not answered."""
        if self._client.answers:
            return
        self._note_left()
        now = asyncio.get_running_loop().time()
        # Whoever says good-bye had time to answer.
        grace = 0.0 if self._left_by_itself else KNOWN_AFTER
        with contextlib.suppress(ChannelsClosed, TimeoutError):
            async with deadlines.timeout(_SETTLES):
                await self._tell(self._receipts.settled(now, after=grace))

    def _note_left(self) -> None:
        # What was buffered when a connection was lost never left.
        if self._left_by_itself or not self._socket.lost:
            self._receipts.left(self._socket.buffered)

    async def _tell(self, position: Position | None) -> None:
        if position is not None:
            await self._channels.send(encode_frame(FrameKind.RECEIVED, position))


def _as_host_sent(frame: Buffer) -> tuple[FrameKind, int]:
    try:
        return head_of(frame)
    except FrameError as error:
        raise InternalError(f"The host sent a frame that is none: {error}") from error


def _is_restarting(message: Message) -> bool:
    is_status = message.channel is Channel.IOPUB and message.read_header().msg_type == "status"
    return is_status and message.read_content().get("execution_state") == ExecutionState.RESTARTING


def _told(hole: Hole) -> Message:
    return new_message(
        Channel.IOPUB,
        "stream",
        {"name": "stderr", "text": f"[kernelway: {hole.told}]\n"},
        msg_id=MessageId(uuid.uuid4().hex),
        session=SessionId(""),
        date=timestamp(datetime.now(UTC)),
    )
