"""Replies as kernels of many kinds give them."""

from __future__ import annotations

import msgspec
import pytest

from kernelway.client.replies import CompleteReply, HistoryReply, IsCompleteReply, KernelInfo, read_reply
from kernelway.protocol.errors import KernelError
from kernelway.protocol.message import Channel, Message


def reply(content: object) -> Message:
    encoded = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return Message(Channel.SHELL, b'{"msg_type":"some_reply"}', content=encoded)


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (CompleteReply, {"status": "ok"}, CompleteReply()),
        (CompleteReply, {"matches": ["a"], "cursor_end": 1, "new": 5}, CompleteReply(["a"], 0, 1)),
        (IsCompleteReply, {"status": "incomplete", "indent": "  "}, IsCompleteReply("incomplete", "  ")),
        (HistoryReply, {"history": [[1, 2, "a"]]}, HistoryReply([(1, 2, "a")])),
        (HistoryReply, {"history": [[1, 2, ["a", None]]]}, HistoryReply([(1, 2, ("a", None))])),
        (KernelInfo, {"language_info": {"codemirror_mode": {"name": "x"}}}, None),
    ],
)
def test_what_a_kernel_leaves_out_or_adds_does_no_harm(kind, content, expected) -> None:
    got = read_reply(reply(content), kind)
    assert isinstance(got, kind)
    assert expected is None or got == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"status": "error", "ename": "ValueError", "evalue": "no"},
            "says so in its some_reply: ValueError: no",
        ),
        ({"status": "error"}, "gives no reason"),
        ({"status": "aborted"}, "ask again"),
        ({"status": "abort"}, "gives no reason"),
        ({"status": "ok", "matches": 5}, "does not follow the protocol"),
        (b"[]", "does not follow the protocol"),
        (b'{"status":"\xff"}', "does not follow the protocol"),
    ],
)
def test_a_request_that_failed_is_an_error(content, told) -> None:
    with pytest.raises(KernelError, match=told):
        read_reply(reply(content), CompleteReply)
