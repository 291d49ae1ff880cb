"""What the end of a socket means."""

from __future__ import annotations

import pytest
from aiohttp import WSMessage, WSMsgType

from kernelway.client.answers import NothingThere
from kernelway.client.link_ends import Unmendable, ended_by, final_error, is_final
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import (
    Forbidden,
    KernelDied,
    LimitReached,
    LinkLost,
    NotFound,
    NotJupyter,
    PositionGone,
    TimedOut,
    Unreachable,
    WrongCertificate,
    WrongCredentials,
)
from kernelway.protocol.models import KernelId

KERNEL = KernelId("k")


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (KernelDied(""), True),
        (NotFound(""), True),
        (WrongCredentials(""), True),
        (Forbidden(""), True),
        (Unmendable(""), True),
        (LinkLost(""), False),
        (Unreachable(""), False),
        (TimedOut(""), False),
        (NotJupyter(""), False),
        (WrongCertificate(""), False),
        (LimitReached(""), False),
        (NothingThere(""), False),
        (PositionGone("", oldest=3), False),
    ],
)
def test_what_ends_a_link_for_good(error, final) -> None:
    assert is_final(error) is final


@pytest.mark.parametrize("code", list(CloseCode))
def test_every_close_code_has_a_sentence_with_the_servers_words(code: CloseCode) -> None:
    error = ended_by(WSMessage(WSMsgType.CLOSE, code, "The reason."), KERNEL)
    assert "The reason" in str(error)
    assert KERNEL in str(error)


def test_what_our_own_side_knows_is_told_of_a_break_without_a_word() -> None:
    frame = WSMessage(WSMsgType.CLOSED, None, None)
    assert "without a word" in str(ended_by(frame, KERNEL))
    error = ended_by(frame, KERNEL, known="nothing came from the server for 20 seconds")
    assert "nothing came" in str(error)


def test_who_waits_is_told_in_the_public_errors() -> None:
    error = final_error(NotFound("It was shut down."), KERNEL, was_there=True)
    assert type(error) is KernelDied
    assert "It was shut down." in str(error)
    assert type(final_error(NotFound(""), KERNEL, was_there=False)) is NotFound
    assert type(final_error(Unmendable("x"), KERNEL, was_there=True)) is LinkLost
