"""What a kernel has asked its clients on stdin, so that each question is answered once."""

from __future__ import annotations

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Message, MessageId

_MOST = 1024
"""Questions that are remembered, for each kernel."""


class Questions:
    """The input_requests of a kernel, and which of them are answered.

    A client to which a question is replayed may answer it again. The kernel would take that for the answer to
    what it asks next, which may be another thing entirely. Clients that do not say what they answer (it is
    in the parent header) cannot be told from those who answer something new.
    """

    def __init__(self) -> None:
        self._answered: dict[MessageId, bool] = {}

    def note(self, message: Message) -> None:
        """A message came from the kernel on stdin."""
        try:
            self._answered[message.read_header().msg_id] = False
        except FrameError:
            # Nobody can name what has no id.
            return
        if len(self._answered) > _MOST:
            del self._answered[next(iter(self._answered))]

    def note_answer(self, answer: Message) -> None:
        """A client's message was handed to the kernel on stdin."""
        question = _question_of(answer)
        if question in self._answered:
            self._answered[question] = True

    def has_answer(self, answer: Message) -> bool:
        """Whether what the message answers was answered before."""
        return self._answered.get(_question_of(answer), False)


def _question_of(answer: Message) -> MessageId:
    try:
        return answer.read_parent_header().msg_id
    except FrameError:
        return MessageId("")
