"""Questions that a kernel asks on stdin are answered once."""

from __future__ import annotations

from kernelway.host import questions as questions_module
from kernelway.host.lifeline import own_message
from kernelway.host.questions import Questions
from kernelway.protocol.message import Channel, Message, SessionId


def question() -> Message:
    return own_message(Channel.STDIN, "input_request", {"prompt": "?"}, SessionId("kernel"))


def answer(parent_header: bytes) -> Message:
    return own_message(
        Channel.STDIN, "input_reply", {"value": ""}, SessionId("me"), parent_header=parent_header
    )


def test_a_question_has_an_answer_once_one_was_handed_over() -> None:
    questions = Questions()
    asked, other = question(), question()
    questions.note(asked)
    questions.note(other)
    reply = answer(bytes(asked.header))
    assert not questions.has_answer(reply)
    questions.note_answer(reply)
    assert questions.has_answer(reply)
    assert questions.has_answer(answer(bytes(asked.header)))
    assert not questions.has_answer(answer(bytes(other.header)))


def test_answers_that_do_not_say_what_they_answer_are_all_new() -> None:
    questions = Questions()
    questions.note(question())
    questions.note(Message(Channel.STDIN, b"[]"))
    for parent in (b"{}", b"[]", b'{"msg_id":"that of the execute_request"}'):
        for _ in range(2):
            assert not questions.has_answer(answer(parent))
            questions.note_answer(answer(parent))


def test_the_oldest_question_is_forgotten_at_the_bound() -> None:
    questions = Questions()
    first = question()
    questions.note(first)
    questions.note_answer(answer(bytes(first.header)))
    for _ in range(questions_module._MOST):
        questions.note(question())
    assert not questions.has_answer(answer(bytes(first.header)))
