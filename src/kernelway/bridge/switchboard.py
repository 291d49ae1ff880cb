"""What becomes of every message of a bridge, decided without I/O: one event in, actions out.

    of a client   interrupt_request       Interrupt, answered once the gateway has done it
                  shutdown_request        ShutDown, likewise
                  what was not signed     Drop
                  anything else           Forward, and its identity is kept for the answers
    of the kernel a reply, input_request  Send, to the identity that asked
                  iopub                   Publish
    a subscriber                          Publish an iopub_welcome (Jupyter Enhancement Proposal 65)

Code that is asked of a kernel which has nothing to answer is busy at once: that is published here, and the
kernel's own word for it is left out. jupyter_console takes an idle of what it asked before for the end of its
code where it hears of no busy within 50 ms, and shows no question then; a kernel may be farther away.

A kernel that died took with it what it was asked. Its host answers that with ``aborted``, which clients of
ZeroMQ would take for success (a kernel of theirs says nothing when it dies); here it becomes an ``error``.
Where the kernel was started for the bridge's client, the bridge then ends as the kernel did, so that whoever
started it sees that and starts it anew if it does such things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from kernelway.bridge.own import OwnMessages
from kernelway.bridge.routes import Routes
from kernelway.protocol import zmq_framing
from kernelway.protocol.errors import FrameError, KernelwayError
from kernelway.protocol.message import Buffer, Channel, Header, Message, MessageId
from kernelway.protocol.models import ExecutionState
from kernelway.protocol.signing import Signer


@dataclass(frozen=True, slots=True)
class Forward:
    """Give the message to the kernel."""

    message: Message


@dataclass(frozen=True, slots=True)
class Send:
    """Give the message to one client, on the message's channel."""

    identity: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class Publish:
    """Give the message to all subscribers; ``topic`` stands before it."""

    message: Message
    topic: bytes = b""


@dataclass(frozen=True, slots=True)
class Drop:
    """Tell that something is dropped; ``why`` is a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the bridge answers itself."""

    identity: bytes
    request: Message
    reply_type: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Have the gateway interrupt the kernel, and say to :meth:`Switchboard.done` what came of it."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class ShutDown:
    """The same for ending it, or starting it anew."""

    asked: Asked
    restart: bool


@dataclass(frozen=True, slots=True)
class End:
    """The kernel that was started for this bridge has ended; ``why`` is a sentence, where one is known."""

    why: str


Action: TypeAlias = Forward | Send | Publish | Drop | Interrupt | ShutDown | End

_REQUEST: Final = "_request"
_GONE: Final = frozenset({ExecutionState.RESTARTING.value, ExecutionState.DEAD.value})
_WELCOME: Final = "iopub_welcome"


class Switchboard:
    """Decides for one bridge. ``owns`` tells that the kernel was started for its client."""

    def __init__(self, signer: Signer, *, owns: bool, own: OwnMessages, routes: Routes | None = None) -> None:
        self._signer = signer
        self._owns = owns
        self._own = own
        self._routes = Routes() if routes is None else routes
        self._called_busy: MessageId | None = None
        """The request of which the next status is to be the kernel's own busy, which has been told."""

    # What comes from clients

    def requested(self, channel: Channel, parts: Sequence[Buffer]) -> list[Action]:
        """The parts of what came on a ROUTER."""
        try:
            message = zmq_framing.decode(parts[1:], channel, self._signer)
            header = message.read_header()
        except FrameError as error:
            return [Drop(f"What a client sent on {channel} is dropped: {error}")]
        identity = bytes(parts[0])
        if channel is Channel.STDIN:
            return [Forward(message)]
        if header.msg_type in ("interrupt_request", "shutdown_request"):
            return self._answer_here(identity, message, header)
        return [*self._busy_at_once(message, header), *self._remember(identity, header), Forward(message)]

    def _busy_at_once(self, message: Message, header: Header) -> list[Action]:
        if header.msg_type != "execute_request" or self._routes.awaits_reply:
            return []
        self._called_busy = header.msg_id
        return [Publish(self._own.status(ExecutionState.BUSY, message.header))]

    def _remember(self, identity: bytes, header: Header) -> list[Action]:
        forgotten = self._routes.add(header.msg_id, identity, is_request=header.msg_type.endswith(_REQUEST))
        if forgotten is None:
            return []
        return [Drop(f"Too many requests wait for a reply: that to {forgotten} will not be passed on.")]

    def _answer_here(self, identity: bytes, message: Message, header: Header) -> list[Action]:
        asked = Asked(identity, message, header.msg_type.removesuffix(_REQUEST) + "_reply")
        busy = Publish(self._own.status(ExecutionState.BUSY, message.header))
        if header.msg_type == "interrupt_request":
            return [busy, Interrupt(asked)]
        try:
            restart = message.read_content().get("restart") is True
        except FrameError as error:
            return [Drop(f"A client's request to shut down is dropped: {error}")]
        return [busy, ShutDown(asked, restart)]

    def done(
        self, asked: Asked, error: KernelwayError | None = None, *, restart: bool = False
    ) -> list[Action]:
        """The gateway did what a client asked for, or did not; the answer."""
        content: dict[str, object] = {"status": "ok"}
        if asked.reply_type == "shutdown_reply":
            content["restart"] = restart
        if error is not None:
            content = _error(type(error).__name__, str(error))
        header = asked.request.header
        told: list[Action] = []
        if asked.reply_type == "shutdown_reply" and error is None:
            told = [Publish(self._own.message(Channel.IOPUB, asked.reply_type, content, header))]
        return [
            *told,
            Send(asked.identity, self._own.message(asked.request.channel, asked.reply_type, content, header)),
            Publish(self._own.status(ExecutionState.IDLE, header)),
        ]

    def subscribed(self, topic: bytes) -> list[Action]:
        """Somebody hears what is published on a topic from now on."""
        content: dict[str, object] = {"subscription": topic.decode("utf-8", "replace")}
        return [Publish(self._own.message(Channel.IOPUB, _WELCOME, content), topic)]

    # What comes from the kernel

    def came(self, message: Message) -> list[Action]:
        """A message of the kernel, in order."""
        try:
            if message.channel is Channel.IOPUB:
                return self._published(message)
            return self._replied(message)
        except FrameError as error:
            return [Drop(f"What the kernel sent on {message.channel} is dropped: {error}")]

    def _published(self, message: Message) -> list[Action]:
        # What is no status is not decoded: most of what a kernel says is output.
        header = bytes(message.header)
        if b'"status"' in header and message.read_header().msg_type == "status":
            return self._status(message)
        if b'"iopub_welcome"' in header and message.read_header().msg_type == _WELCOME:
            # It welcomed the host.
            return []
        return [Publish(message)]

    def _status(self, message: Message) -> list[Action]:
        content = message.read_content()
        state = content.get("execution_state")
        parent = message.read_parent_header().msg_id
        called_busy, self._called_busy = self._called_busy, None
        if state == ExecutionState.BUSY and parent == called_busy:
            return []
        if state == ExecutionState.IDLE:
            self._routes.became_idle(parent)
        if state in _GONE and self._owns:
            return [Publish(message), End(str(content.get("reason", "")))]
        return [Publish(message)]

    def _replied(self, message: Message) -> list[Action]:
        parent = message.read_parent_header()
        if message.channel is Channel.STDIN:
            identity = self._routes.find(parent.msg_id)
        else:
            identity = self._routes.replied(parent.msg_id)
        if identity is None:
            return [
                Drop(f"Nobody here asked what the kernel answers on {message.channel} ({parent.msg_id}).")
            ]
        if b'"aborted"' in bytes(message.content[:_LONGEST_ABORT]):
            return self._aborted(identity, message)
        return [Send(identity, message)]

    def _aborted(self, identity: bytes, message: Message) -> list[Action]:
        content = message.read_content()
        ename = content.get("ename")
        if content.get("status") != "aborted" or ename not in _ENDS:
            return [Send(identity, message)]
        error = _error(str(ename), str(content.get("evalue")))
        told = self._own.message(Channel.IOPUB, "error", _without_status(error), message.parent_header)
        reply = self._own.message(
            message.channel, message.read_header().msg_type, error, message.parent_header
        )
        return [Publish(told), Send(identity, reply)]


_ENDS: Final = frozenset({"KernelDied", "KernelRestarted"})
"""What a host names in its answers for a kernel that ended."""

_LONGEST_ABORT: Final = 1 << 12
"""Bytes in which such an answer says so."""


def _error(name: str, value: str) -> dict[str, object]:
    return {"status": "error", "ename": name, "evalue": value, "traceback": [f"{name}: {value}"]}


def _without_status(content: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in content.items() if key != "status"}
