"""Executions, as scripts of what a kernel says and what comes out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.protocol.errors import FrameError
from kernelway.protocol.execution import (
    Clear,
    Display,
    Error,
    ExecuteReply,
    Execution,
    InputRequest,
    Output,
    Result,
    Stream,
    Update,
    output_of,
)
from kernelway.protocol.message import Channel, Message, MessageId

from .strategies import JSON_OBJECTS

REQUEST = MessageId("request")


def said(
    msg_type: str, *, parent: str | None = REQUEST, on: Channel = Channel.IOPUB, **content: Any
) -> Message:
    """A message of a kernel about a request."""
    header = {"msg_id": f"{msg_type} of {parent}", "msg_type": msg_type, "session": "kernel"}
    parent_header = {} if parent is None else {"msg_id": parent}
    parts = [json.dumps(part).encode() for part in (header, parent_header, {}, content)]
    return Message(on, *parts)


def status(state: str, parent: str | None = REQUEST) -> Message:
    return said("status", parent=parent, execution_state=state)


def reply(state: str = "ok", parent: str = REQUEST, **content: Any) -> Message:
    return said("execute_reply", parent=parent, on=Channel.SHELL, status=state, **content)


BUSY = status("busy")
IDLE = status("idle")
INPUT = said("execute_input", code="1", execution_count=3)
OK = reply(execution_count=3, user_expressions={})
TEXT = said("stream", name="stdout", text="a\n")
FIGURE = {"image/png": "aGk=", "text/plain": "<Figure>"}
ASKED = said("input_request", on=Channel.STDIN, prompt="Name: ", password=True)


@dataclass(frozen=True)
class Script:
    """What comes, what is made of it, and after how many messages it is over (None: it is not)."""

    name: str
    events: list[Message]
    outputs: list[Output] = field(default_factory=list)
    over_after: int | None = None


SCRIPTS = [
    Script("nothing comes", []),
    Script("the reply before the idle", [BUSY, INPUT, TEXT, OK, IDLE], [Stream("stdout", "a\n")], 5),
    Script("the idle before the reply", [BUSY, INPUT, TEXT, IDLE, OK], [Stream("stdout", "a\n")], 5),
    Script("no output at all", [BUSY, INPUT, IDLE, OK], [], 4),
    Script("only the reply", [BUSY, INPUT, OK]),
    Script("only the idle", [BUSY, IDLE]),
    Script("the busy that never came", [TEXT, IDLE, OK], [Stream("stdout", "a\n")], 3),
    Script(
        "outputs after the reply",
        [BUSY, OK, TEXT, IDLE],
        [Stream("stdout", "a\n")],
        4,
    ),
    Script("aborted: an idle may never come", [reply("aborted")], [], 1),
    Script("aborted, and an idle comes", [BUSY, reply("aborted"), IDLE], [], 2),
    Script(
        "an error",
        [
            BUSY,
            said(
                "error", ename="ZeroDivisionError", evalue="by zero", traceback=["\x1b[31m1/0\x1b[0m", "last"]
            ),
            reply("error", ename="ZeroDivisionError"),
            IDLE,
        ],
        [Error("ZeroDivisionError", "by zero", ["\x1b[31m1/0\x1b[0m", "last"])],
        4,
    ),
    Script(
        "a result",
        [
            BUSY,
            said("execute_result", data={"text/plain": "2"}, metadata={"a": 1}, execution_count=3),
            OK,
            IDLE,
        ],
        [Result({"text/plain": "2"}, {"a": 1}, 3)],
        4,
    ),
    Script(
        "a display that is replaced",
        [
            BUSY,
            said("display_data", data=FIGURE, metadata={}, transient={"display_id": "d"}),
            said("display_data", data={"text/plain": "other"}, metadata={}, transient={}),
            said(
                "update_display_data", data={"text/plain": "new"}, metadata={}, transient={"display_id": "d"}
            ),
            OK,
            IDLE,
        ],
        [
            Display(FIGURE, {}, "d"),
            Display({"text/plain": "other"}, {}),
            Update("d", {"text/plain": "new"}, {}),
        ],
        6,
    ),
    Script(
        "a result that may be replaced",
        [
            said(
                "execute_result",
                data={"text/plain": "1"},
                metadata={},
                execution_count=1,
                transient={"display_id": 7},
            )
        ],
        [Result({"text/plain": "1"}, {}, 1, "7")],
    ),
    Script("an update of nothing", [said("update_display_data", data=FIGURE, metadata={}, transient={})]),
    Script(
        "outputs that go",
        [TEXT, said("clear_output", wait=True), TEXT, said("clear_output", wait=False), said("clear_output")],
        [
            Stream("stdout", "a\n"),
            Clear(wait=True),
            Stream("stdout", "a\n"),
            Clear(wait=False),
            Clear(wait=False),
        ],
    ),
    Script(
        "a question",
        [BUSY, ASKED, TEXT, OK, IDLE],
        [InputRequest("Name: ", password=True, message=ASKED), Stream("stdout", "a\n")],
        5,
    ),
    Script(
        "both streams",
        [said("stream", name="stderr", text="warning"), TEXT],
        [Stream("stderr", "warning"), Stream("stdout", "a\n")],
    ),
    Script(
        "another request's messages are not ours",
        [
            BUSY,
            said("stream", parent="other", name="stdout", text="theirs"),
            reply("aborted", parent="other"),
            reply(parent="other"),
            status("idle", "other"),
            status("idle", None),
            said("stream", parent=None, name="stdout", text="nobody's"),
            TEXT,
            OK,
            IDLE,
        ],
        [Stream("stdout", "a\n")],
        10,
    ),
    Script(
        "widgets and what nobody knows make no output",
        [
            said("comm_open", comm_id="c", target_name="jupyter.widget", data={}),
            said("comm_msg", comm_id="c", data={}),
            said("comm_close", comm_id="c", data={}),
            said("iopub_welcome", subscription=""),
            said("debug_event", event="x"),
            said("x_of_a_kernels_own", a=1),
        ],
    ),
    Script(
        "a kernel that restarts says no idle of ours", [BUSY, status("restarting"), status("starting"), OK]
    ),
    Script(
        "what a kernel leaves out is empty",
        [
            said("stream"),
            said("display_data"),
            said("execute_result"),
            said("error"),
            said("input_request", on=Channel.STDIN),
        ],
        [
            Stream("stdout", ""),
            Display({}, {}),
            Result({}, {}, None),
            Error("", ""),
            InputRequest("", password=False, message=said("input_request", on=Channel.STDIN)),
        ],
    ),
    Script(
        "what a kernel puts where it does not belong is left out",
        [
            said("display_data", data=[1], metadata=None, transient="d"),
            said("execute_result", data="x", metadata=1, execution_count="3"),
            said("error", ename=1, evalue=None, traceback=5),
            said("error", ename="E", evalue="", traceback="one line"),
        ],
        [Display({}, {}), Result({}, {}, None), Error("1", "None"), Error("E", "")],
    ),
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script(script: Script) -> None:
    execution = Execution(REQUEST)
    outputs = []
    over_after = 0 if execution.finished else None
    for number, message in enumerate(script.events, 1):
        output = execution.receive(message)
        if output is not None:
            outputs.append(output)
        if execution.finished and over_after is None:
            over_after = number
    assert outputs == script.outputs
    assert over_after == script.over_after


@pytest.mark.parametrize("order", [*permutations([OK, IDLE, TEXT])], ids=str)
def test_it_is_over_when_reply_and_idle_were_both_seen_in_any_order(order: tuple[Message, ...]) -> None:
    execution = Execution(REQUEST)
    for count, message in enumerate(order, 1):
        execution.receive(message)
        assert execution.finished == ({OK, IDLE} <= set(order[:count]))


def test_the_reply_is_kept_whole() -> None:
    execution = Execution(REQUEST)
    assert execution.reply is None
    content = {"status": "ok", "execution_count": 3, "user_expressions": {}}
    assert execution.receive(OK) is None
    assert execution.reply == ExecuteReply("ok", 3, content)


@pytest.mark.parametrize("content", [{}, {"status": None}, {"status": 1, "execution_count": "x"}])
def test_a_reply_that_says_little_is_a_reply(content: dict[str, Any]) -> None:
    execution = Execution(REQUEST)
    execution.receive(said("execute_reply", on=Channel.SHELL, **content))
    execution.receive(IDLE)
    assert execution.finished
    assert execution.reply is not None
    assert execution.reply.execution_count is None


def test_what_belongs_to_others_and_what_is_silent_is_not_decoded() -> None:
    execution = Execution(REQUEST)
    for msg_type, parent in (("stream", "other"), ("comm_msg", REQUEST), ("execute_input", REQUEST)):
        header = json.dumps({"msg_id": "m", "msg_type": msg_type}).encode()
        parent_header = json.dumps({"msg_id": parent}).encode()
        assert execution.receive(Message(Channel.IOPUB, header, parent_header, content=b"no json")) is None


def test_an_output_that_cannot_be_read_is_told() -> None:
    broken = Message(Channel.IOPUB, b'{"msg_type":"stream"}', b'{"msg_id":"request"}', content=b"no json")
    with pytest.raises(FrameError, match="The content of a message"):
        Execution(REQUEST).receive(broken)


TYPES = st.sampled_from(
    [
        *("status", "stream", "display_data", "execute_result", "error", "clear_output"),
        *("update_display_data", "input_request", "execute_reply", "comm_msg"),
    ]
)

FIELDS = st.sampled_from(
    [
        *("status", "execution_state", "execution_count", "name", "text", "data", "metadata", "transient"),
        *("ename", "evalue", "traceback", "wait", "prompt", "password", "display_id"),
    ]
)

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


@given(TYPES, st.dictionaries(FIELDS, VALUES | JSON_OBJECTS, max_size=5))
def test_no_content_of_any_type_breaks_it(msg_type: str, content: dict[str, Any]) -> None:
    message = said(msg_type, **content)
    Execution(REQUEST).receive(message)
    output_of(msg_type, message.read_content(), message)
