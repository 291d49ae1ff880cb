"""The state of a link: scripts of what happens, and any cuts against a model of a host."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kernelway.client.resume import UNSENT_LIMIT, Came, Joined, LinkState, Missing, Taken
from kernelway.protocol.channels import Joining
from kernelway.protocol.errors import FrameError, LimitReached
from kernelway.protocol.link_framing import (
    FrameKind,
    Hole,
    LinkId,
    Position,
    Welcome,
    encode_frame,
    encode_message_frame,
    head_of,
    message_in,
)
from kernelway.protocol.message import Channel, Message, MessageId, SessionId, new_message


def message(number: int, *, size: int = 0) -> Message:
    return new_message(
        Channel.SHELL,
        "execute_request",
        {"n": number, "x": "x" * size},
        msg_id=MessageId(f"m{number}"),
        session=SessionId("s"),
        date="2026-11-20T18:30:00+00:00",
    )


def link(**more: object) -> LinkState:
    return LinkState(msgspec.structs.replace(Joining(session=SessionId("s"), link=LinkId("l")), **more))


def welcome(taken: int, newest: int = 0, oldest: int = 1, *, ended: bool = False) -> bytes:
    told = msgspec.json.encode(Welcome(Position(newest), Position(oldest), ended))
    return encode_frame(FrameKind.WELCOME, taken, told)


def came(position: int) -> bytes:
    return encode_message_frame(FrameKind.MESSAGE, position, message(position))


def taken(number: int) -> bytes:
    return encode_frame(FrameKind.TAKEN, number)


def hole(position: int) -> bytes:
    return encode_frame(FrameKind.HOLE, position, msgspec.json.encode(Hole("The disk was full", 3)))


def numbers(state: LinkState) -> list[int]:
    """The numbers of the frames to write now."""
    found = []
    while (frame := state.next_frame()) is not None:
        kind, number = head_of(frame)
        assert kind is FrameKind.REQUEST
        assert message_in(frame).read_content()["n"] == number
        found.append(number)
        state.wrote()
    return found


def post(state: LinkState, *which: int) -> None:
    for number in which:
        state.post(message(number))


def test_nothing_is_written_before_the_welcome_and_all_of_it_in_order_after() -> None:
    state = link()
    post(state, 1, 2)
    assert numbers(state) == []
    assert state.received(welcome(0)) == Joined(Welcome(Position(0), Position(1)), forgotten=False)
    assert numbers(state) == [1, 2]
    post(state, 3)
    assert numbers(state) == [3]


def test_what_was_not_taken_is_sent_again() -> None:
    state = link()
    state.received(welcome(0))
    post(state, 1, 2, 3, 4)
    assert numbers(state) == [1, 2, 3, 4]
    assert state.received(taken(1)) == Taken(1)
    state.broken()
    post(state, 5)
    assert numbers(state) == []
    state.received(welcome(2))
    assert numbers(state) == [3, 4, 5]
    assert state.taken == 2
    state.received(taken(5))
    assert (state.taken, state.waiting) == (5, 0)


def test_what_an_older_socket_carried_may_be_taken_after_the_welcome() -> None:
    state = link()
    state.received(welcome(0))
    post(state, 1, 2, 3)
    numbers(state)
    state.broken()
    state.received(welcome(0))
    assert state.next_frame() is not None
    assert state.received(taken(2)) == Taken(2)
    assert numbers(state) == [3]


def test_what_comes_twice_is_dropped() -> None:
    state = link()
    state.received(welcome(0, newest=4))
    assert isinstance(state.received(came(6)), Came)
    state.broken()
    assert state.joining.position == 6
    state.received(welcome(0, newest=9))
    assert state.received(came(5)) is None
    assert state.received(came(6)) is None
    again = state.received(came(7))
    assert isinstance(again, Came)
    assert again.position == 7


def test_a_client_that_heard_nothing_yet_goes_on_where_it_joined() -> None:
    state = link()
    state.received(welcome(0, newest=17))
    assert state.joining.position == 17


def test_a_session_that_goes_on_takes_what_is_older_than_the_newest() -> None:
    state = link(resume=True)
    state.received(welcome(0, newest=17))
    assert (state.joining.resume, state.joining.position) == (True, None)
    assert isinstance(state.received(came(12)), Came)
    assert (state.joining.resume, state.joining.position) == (False, 12)
    assert isinstance(state.received(came(13)), Came)


def test_what_arrived_is_told_before_requests_and_the_latest_alone() -> None:
    state = link()
    state.note_received(Position(3))
    assert state.next_frame() is None
    state.received(welcome(0, newest=2))
    state.received(came(5))
    state.note_received(Position(5))
    post(state, 1)
    first = state.next_frame()
    assert first is not None
    assert head_of(first) == (FrameKind.RECEIVED, 5)
    state.wrote()
    assert numbers(state) == [1]


def test_a_replay_of_all_goes_on_at_the_oldest() -> None:
    state = link(replay_all=True, requests=True)
    assert state.joining.replay_all
    state.received(welcome(0, newest=17, oldest=5))
    assert (state.joining.position, state.joining.replay_all, state.joining.requests) == (4, False, True)


def test_a_replay_after_a_message_goes_on_by_its_id_until_a_position_is_known() -> None:
    state = link(after=MessageId("m"))
    state.received(welcome(0, newest=17))
    state.broken()
    assert (state.joining.after, state.joining.position) == ("m", None)
    state.received(welcome(0, newest=17))
    state.received(came(9))
    assert (state.joining.after, state.joining.position) == (None, 9)


def test_a_position_that_is_gone_is_told_once_and_left_behind() -> None:
    state = link(position=Position(3))
    assert state.gone(10, "It is gone.") == Missing(Position(10), Hole("It is gone."))
    assert state.joining.position == 9
    state.received(welcome(0, newest=12, oldest=10))
    assert state.received(hole(10)) is None
    assert isinstance(state.received(came(10)), Came)


def test_a_hole_is_told_once_over_a_break() -> None:
    state = link(position=Position(3))
    state.received(welcome(0, newest=12))
    assert state.received(hole(8)) == Missing(Position(8), Hole("The disk was full", 3))
    state.broken()
    assert state.joining.position == 7
    state.received(welcome(0, newest=12))
    assert state.received(hole(8)) is None
    assert isinstance(state.received(came(8)), Came)
    assert state.received(hole(8)) is None


@pytest.mark.parametrize(("known", "what"), [(0, "less than was taken"), (7, "more than was sent")])
def test_a_host_that_forgot_the_link_gets_nothing_twice(known: int, what: str) -> None:
    state = link()
    state.received(welcome(0))
    post(state, 1, 2, 3)
    numbers(state)
    state.received(taken(2))
    state.broken()
    post(state, 4)
    joined = state.received(welcome(known))
    assert isinstance(joined, Joined)
    assert joined.forgotten, what
    assert numbers(state) == []
    assert (state.posted, state.taken, state.waiting) == (known, known, 0)
    state.post(message(known + 1))
    assert numbers(state) == [known + 1]


def test_a_journal_that_is_behind_what_came_is_another_one() -> None:
    state = link(position=Position(30))
    joined = state.received(welcome(0, newest=2))
    assert isinstance(joined, Joined)
    assert joined.forgotten
    assert isinstance(state.received(came(3)), Came)


def test_a_kernel_that_has_ended_is_sent_nothing_and_has_its_journal_read() -> None:
    state = link()
    state.received(welcome(0))
    post(state, 1, 2)
    numbers(state)
    state.received(taken(1))
    state.broken()
    post(state, 3)
    joined = state.received(welcome(0, newest=2, ended=True))
    assert isinstance(joined, Joined)
    assert not joined.forgotten
    post(state, 4)
    assert numbers(state) == []
    assert isinstance(state.received(came(2)), Came)
    assert state.received(taken(0)) == Taken(0)


def test_what_is_kept_is_bounded() -> None:
    state = link()
    for number in range(4):
        state.post(message(number, size=UNSENT_LIMIT // 4))
    with pytest.raises(LimitReached, match="wait for the answers"):
        state.post(message(4))
    state.received(welcome(0))
    while state.next_frame() is not None:
        pass
    with pytest.raises(LimitReached):
        state.post(message(4))
    state.received(taken(1))
    state.post(message(5))
    assert state.posted == 5


@pytest.mark.parametrize(
    "frames",
    [
        [came(1)],
        [taken(0)],
        [welcome(0), welcome(0)],
        [welcome(0), taken(1)],
        [welcome(0), encode_frame(FrameKind.REQUEST, 1)],
        [welcome(0), encode_frame(FrameKind.RECEIVED, 1)],
        [welcome(0), b"short"],
        [welcome(0), "text"],
        [welcome(0), encode_frame(FrameKind.MESSAGE, 1, b"no message")],
        [welcome(0), encode_frame(FrameKind.HOLE, 1, b"no hole")],
        [encode_frame(FrameKind.WELCOME, 0, b"[]")],
    ],
)
def test_a_host_that_does_not_keep_to_it(frames: list[bytes]) -> None:
    state = link()
    for frame in frames[:-1]:
        state.received(frame)
    with pytest.raises(FrameError):
        state.received(frames[-1])


class Cuts(RuleBasedStateMachine):
    """A host that runs what it takes, and a line between that can be cut anywhere, with what is on it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = link()
        self.posted = 0
        self.ran: list[int] = []
        self.up: list[bytes] = []
        self.journal = 0
        self.oldest = 1
        self.served = 0
        self.down: list[bytes] = []
        self.connected = False
        self.seen: list[int] = []
        self.told: list[int] = []
        self.beginning = 0

    @initialize(journal=st.integers(0, 5))
    def begin(self, journal: int) -> None:
        self.journal = self.beginning = journal
        self.served = journal

    @rule()
    def ask(self) -> None:
        self.posted += 1
        self.state.post(message(self.posted))

    @rule(count=st.integers(1, 4))
    def say(self, count: int) -> None:
        self.journal += count

    @rule(count=st.integers(1, 3))
    def forget(self, count: int) -> None:
        """The journal drops its oldest."""
        self.oldest = min(self.oldest + count, self.journal + 1)

    @precondition(lambda self: not self.connected)
    @rule(again=st.integers(0, 3))
    def join(self, again: int = 0) -> None:
        """Join; ``again`` is how many the host gives once more."""
        joining = self.state.joining
        if joining.position is None:
            self.served = self.journal
            self.beginning = self.journal
        elif joining.position < self.oldest - 1:
            self.told.append(self.state.gone(self.oldest, "gone").position)
            return
        else:
            self.served = max(joining.position - again, self.oldest - 1)
        self.connected = True
        self.up, self.down = [], []
        first = self.state.received(welcome(len(self.ran), self.journal, self.oldest))
        assert isinstance(first, Joined)
        assert not first.forgotten
        assert self.state.taken == len(self.ran)

    @precondition(lambda self: self.connected)
    @rule()
    def cut(self) -> None:
        self.connected = False
        self.state.broken()
        self.up, self.down = [], []

    @precondition(lambda self: self.connected)
    @rule()
    def write(self) -> None:
        if (frame := self.state.next_frame()) is not None:
            self.state.wrote()
            self.up.append(frame)

    @precondition(lambda self: self.connected and self.up)
    @rule()
    def take(self) -> None:
        frame = self.up.pop(0)
        number = head_of(frame)[1]
        assert number <= len(self.ran) + 1
        if number == len(self.ran) + 1:
            self.ran.append(message_in(frame).read_content()["n"])
        self.down.append(taken(number))

    @precondition(lambda self: self.connected and self.served < self.journal)
    @rule()
    def serve(self) -> None:
        if self.served + 1 < self.oldest:
            self.served = self.oldest - 1
            self.down.append(hole(self.oldest))
        if self.served < self.journal:
            self.served += 1
            self.down.append(came(self.served))

    @precondition(lambda self: self.connected and self.down)
    @rule()
    def hear(self) -> None:
        match self.state.received(self.down.pop(0)):
            case Came(position=int(position)):
                self.seen.append(position)
            case Missing(position=position):
                self.told.append(position)

    @invariant()
    def every_request_ran_once_in_order(self) -> None:
        assert self.ran == list(range(1, len(self.ran) + 1))

    @invariant()
    def every_position_came_once_in_order_or_was_told_to_be_missing(self) -> None:
        last = self.beginning
        for position in self.seen:
            assert position > last
            if position != last + 1:
                assert any(last < hole <= position for hole in self.told)
            last = position

    def teardown(self) -> None:
        """In the end, with a line that holds, everything arrives."""
        if not self.connected:
            while not self.connected:
                self.join()
        for _ in range(3 * (self.posted + self.journal + len(self.down) + len(self.up)) + 3):
            self.write()
            if self.up:
                self.take()
            if self.served < self.journal:
                self.serve()
            if self.down:
                self.hear()
        assert self.ran == list(range(1, self.posted + 1))
        assert self.state.taken == self.posted
        assert self.state.waiting == 0
        if self.journal > self.beginning and self.oldest <= self.journal:
            assert self.seen[-1] == self.journal


TestCuts = Cuts.TestCase
TestCuts.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
