"""The clients of one kernel, and what the host remembers of them while they are away."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from typing import Any, Protocol

from kernelway.host.attachment import Attachment
from kernelway.host.journal import Journal
from kernelway.host.lease import Lease
from kernelway.host.links import Link, Links, Received
from kernelway.host.questions import Questions
from kernelway.host.reading import Reading, start_of
from kernelway.host.run import KernelRun
from kernelway.host.session_sockets import SessionSockets
from kernelway.host.unanswered import EVERYBODY, Unanswered, aborted
from kernelway.protocol.channels import Joining
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import FrameError, KernelError
from kernelway.protocol.link_framing import FrameKind, Position
from kernelway.protocol.message import Channel, Message, SessionId

_NEVER_KEPT = "input_reply"
"""People type passwords into it."""


class Living(Protocol):
    """What clients need to know of their kernel's life."""

    @property
    def run(self) -> KernelRun | None:
        """The run that takes messages now; None while there is none yet, KernelDied where none will come."""

    async def settled(self) -> None:
        """Return once there may be another answer to what :attr:`run` is."""

    def note_activity(self) -> None:
        """A message went in or came out."""


class Clients:
    """Everything between a kernel and its clients goes through here, and through the journal.

    What the kernel says is appended to the journal, which every client reads at its own pace. What a client
    asks is taken once for each number of its link, noted until it is answered, and kept in the journal too.
    While somebody is connected, the kernel's ``lease`` is held.
    """

    def __init__(self, kernel: Living, journal: Journal, lease: Lease | None = None) -> None:
        self.journal = journal
        self._lease = lease or Lease()
        self._kernel = kernel
        self._attached: dict[SessionId, Attachment] = {}
        self._links = Links()
        self._received = Received()
        self._unanswered = Unanswered()
        self._questions = Questions()
        self._sockets = SessionSockets(self._reply, self._in_use)

    @property
    def attachments(self) -> list[Attachment]:
        """All that are connected, one for each session."""
        return list(self._attached.values())

    # Coming and going

    def attach(self, joining: Joining, *, after: Position | None = None) -> Attachment:
        """Connect a client; one of the same session that is still connected is closed.

        ``after`` is where the journal has the message that ``joining`` names. PositionGone as for
        :func:`~kernelway.host.reading.start_of`; nobody is closed then.
        """
        session = joining.session
        start = start_of(self.journal, joining, after=after, known=self._received.known(session))
        if joining.resume:
            self._received.note(session, start)
        newer = Attachment(
            self, session, self._links.join(joining.link), Reading(self.journal, joining, start)
        )
        older = self._attached.pop(session, None)
        # It takes its place before the older one leaves: the session keeps its sockets.
        self._attached[session] = newer
        self._lease.hold()
        if older is not None:
            older.close(CloseCode.REPLACED, "A newer connection has the same kernel and session.")
        self._open_sockets(session)
        return newer

    def _open_sockets(self, session: SessionId) -> None:
        # A client that came back may answer its code's question at once; the reply that follows must find the
        # shell's connection made. What cannot be connected now is told when the client sends something.
        with contextlib.suppress(KernelError):
            run = self._kernel.run
            if run is not None:
                self._sockets.of(run, session)

    def detach(self, attachment: Attachment, link: Link) -> None:
        """Forget a client; the kernel is none the wiser."""
        if self._attached.get(attachment.session) is attachment:
            del self._attached[attachment.session]
            if not self._attached:
                self._lease.release()
        self._links.leave(link)
        self._sockets.tidy()

    def close(self, code: int, reason: str) -> None:
        """Close all that are there."""
        for attachment in self.attachments:
            attachment.close(code, reason)

    def _in_use(self, session: SessionId) -> bool:
        return session in self._attached or session in self._unanswered

    def note_received(self, session: SessionId, position: Position) -> None:
        """A client says that it has everything up to there."""
        if position > self.journal.newest:
            raise FrameError(f"Position {position} was never sent; the newest is {self.journal.newest}.")
        self._received.note(session, position)

    # From clients to the kernel

    @property
    def run(self) -> KernelRun | None:
        """See :class:`Living`."""
        return self._kernel.run

    async def settled(self) -> None:
        """See :class:`Living`."""
        await self._kernel.settled()

    def try_send(
        self, run: KernelRun, session: SessionId, request: Message
    ) -> Coroutine[Any, Any, None] | None:
        """Hand a client's request to the kernel, and note it, in one step; else what to wait for.

        KernelError where the session's sockets cannot be opened. An answer to a question that was answered
        before is dropped: see :class:`~kernelway.host.questions.Questions`.
        """
        on_stdin = request.channel is Channel.STDIN
        if on_stdin and self._questions.has_answer(request):
            return None
        sockets = self._sockets.of(run, session)
        if not sockets.try_send(request):
            return sockets.writable(request.channel)
        self._kernel.note_activity()
        if on_stdin:
            self._questions.note_answer(request)
        else:
            self._note_request(session, request)
        return None

    def _note_request(self, session: SessionId, request: Message) -> None:
        # No reply to it is heard before: that would be another turn of the event loop.
        try:
            header = request.read_header()
        except FrameError:
            # The kernel will say what it thinks of it. What cannot be told from a password is not kept.
            return
        self._unanswered.note(session, request, header)
        if header.msg_type != _NEVER_KEPT:
            self._append(request, EVERYBODY, FrameKind.KEPT_REQUEST)

    # From the kernel to clients

    def publish(self, message: Message) -> None:
        """Tell everybody."""
        self._append(message, EVERYBODY)

    def _reply(self, session: SessionId, message: Message) -> None:
        self._kernel.note_activity()
        self._append(message, session)
        if message.channel is Channel.STDIN:
            self._questions.note(message)
        self._unanswered.note_reply(session, message)
        if session not in self._attached:
            self._sockets.tidy()

    def _append(self, message: Message, session: SessionId, kind: FrameKind = FrameKind.MESSAGE) -> None:
        self.journal.append(message, kind=kind, session=session)
        if not session:
            for attachment in self._attached.values():
                attachment.wake()
        elif session in self._attached:
            self._attached[session].wake()

    async def end_run(self, end: KernelError, speaker: SessionId) -> None:
        """A run is gone: hear its last replies, and answer with ``end`` what it has left unanswered.

        ``speaker`` is the session of the kernel's own messages. What is sent from now on goes to the next
        run.
        """
        try:
            await self._sockets.finish()
        finally:
            self._sockets.close()
            for asked in self._unanswered.take():
                for session, message in aborted(asked, end, speaker):
                    self._append(message, session)
