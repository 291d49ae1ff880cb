"""Which of all that runs is meant."""

from __future__ import annotations

import pytest

from kernelway.cli.finding import Ended, Running, ended, find, find_ended, is_id, looks_like_id, running
from kernelway.protocol.errors import Conflict, NotFound
from kernelway.protocol.models import (
    EndedKernel,
    EndedSession,
    ExecutionState,
    KernelId,
    KernelModel,
    RestSessionId,
    SessionModel,
)

ONE = "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
TWO = "11112222-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
THREE = "33333333-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
KERNEL = "aaaaaaaa-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
OTHER = "cccccccc-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
PLAIN = "dddddddd-bbbb-4bbb-8bbb-bbbbbbbbbbbb"


def kernel(kernel_id: str) -> KernelModel:
    return KernelModel(
        id=KernelId(kernel_id),
        name="python3",
        last_activity="",
        execution_state=ExecutionState.IDLE,
        connections=0,
    )


def session(session_id: str, name: str, kernel_id: str) -> Running:
    model = SessionModel(
        id=RestSessionId(session_id),
        path=f"ada@laptop/{name}",
        name=name,
        type="file",
        kernel=kernel(kernel_id),
    )
    return Running(place="gpu", kernel=model.kernel, session=model)


THERE = [
    session(ONE, "main.py", KERNEL),
    session(TWO, "main.py", OTHER),
    session(THREE, "33333333", OTHER),
    Running(place="gpu", kernel=kernel(PLAIN)),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ONE, ONE),
        (KERNEL, ONE),
        ("1111111", ONE),
        ("aaaa", ONE),
        ("ada@laptop/33333333", THREE),
        (THREE, THREE),
        ("33333333", THREE),
        (PLAIN, PLAIN),
        ("dddd", PLAIN),
        # Two sessions of one kernel: it is that kernel in any case.
        (OTHER, TWO),
    ],
)
def test_names_ids_and_beginnings(wanted: str, found: str) -> None:
    assert find(THERE, wanted).id == found


@pytest.mark.parametrize("wanted", ["main.py", "1111"])
def test_what_several_have_lists_the_choices(wanted: str) -> None:
    with pytest.raises(Conflict) as caught:
        find(THERE, wanted)
    assert str(caught.value).splitlines()[1:] == [
        f"  {ONE}  ada@laptop/main.py (python3 on gpu)",
        f"  {TWO}  ada@laptop/main.py (python3 on gpu)",
    ]


@pytest.mark.parametrize("wanted", ["nothing", "111", ""])
def test_what_nobody_has_lists_what_there_is(wanted: str) -> None:
    with pytest.raises(NotFound, match=f"  {PLAIN}  no session"):
        find(THERE, wanted)


def test_where_nothing_runs() -> None:
    with pytest.raises(NotFound, match="nothing runs there"):
        find([], "main.py")


def test_kernels_without_a_session_come_behind_the_sessions() -> None:
    model = THERE[0].session
    assert model is not None
    there = running("gpu", [kernel(KERNEL), kernel(PLAIN)], [model])
    assert [each.id for each in there] == [ONE, PLAIN]
    assert [each.name for each in there] == ["main.py", "dddddddd"]


@pytest.mark.parametrize(
    ("text", "whole", "beginning"),
    [(ONE, True, True), ("11111111", False, True), ("cafe", False, False), ("train", False, False)],
)
def test_ids_look_like_ids(text: str, whole: bool, beginning: bool) -> None:
    assert (is_id(text), looks_like_id(text)) == (whole, beginning)


def over(kernel_id: str, *names: str) -> EndedKernel:
    """A kernel that has ended, and sessions that had it, whose ids begin as its own."""
    return EndedKernel(
        id=KernelId(kernel_id),
        name="python3",
        started="2026-11-21T10:00:00.000000Z",
        ended="2026-11-21T11:00:00.000000Z",
        reason="It was shut down.",
        size=1,
        sessions=[
            EndedSession(RestSessionId(kernel_id[:4] + name), f"ada@laptop/{name}", name, "file")
            for name in names
        ],
    )


OVER = ended("gpu", [over(KERNEL, "train"), over(ONE, "train"), over(TWO), over(OTHER, "a.py", "b.py")])


@pytest.mark.parametrize(
    ("wanted", "kernel_id"),
    [
        ("train", KERNEL),
        ("ada@laptop/train", KERNEL),
        (ONE, ONE),
        ("11111111", ONE),
        ("1111train", ONE),
        (TWO, TWO),
        ("b.py", OTHER),
        ("ccccb", OTHER),
    ],
)
def test_of_those_that_have_ended_a_name_means_the_latest(wanted: str, kernel_id: str) -> None:
    assert find_ended(OVER, wanted).kernel.id == kernel_id


def test_the_beginning_of_several_ids_of_what_has_ended() -> None:
    with pytest.raises(Conflict, match="of what has ended; say which by its id") as caught:
        find_ended(OVER, "1111")
    assert f"  {TWO}  no session (python3 on gpu, ended 2026-11-21T11:00:00.000000Z)" in str(caught.value)


def test_a_kernel_of_several_sessions_has_ended_with_each_of_them() -> None:
    assert [(each.name, each.kernel.id == OTHER) for each in OVER][-2:] == [("a.py", True), ("b.py", True)]
    assert [each.handle for each in OVER if isinstance(each, Ended)][2] == TWO
