"""The tree of errors: as it is drawn, and as an HTTP answer."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from kernelway.protocol import errors
from kernelway.protocol.errors import InternalError, KernelwayError

EVERY = {
    name: error
    for name, error in vars(errors).items()
    if isinstance(error, type) and error.__module__ == errors.__name__
}


def drawn() -> dict[str, str]:
    """Each error of the drawing and the one that it hangs on."""
    parents: dict[str, str] = {}
    branch: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:│   |├── |└── |    )*)([A-Z]\w+)", line)
        if found:
            depth = len(found[1]) // 4
            branch[depth:] = [found[2]]
            parents[found[2]] = branch[depth - 1] if depth else "Exception"
    return parents


def test_the_tree_is_as_it_is_drawn() -> None:
    assert drawn() == {name: error.__base__.__name__ for name, error in EVERY.items()}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("InvalidRequest", 400),
        ("FrameError", 400),
        ("Unauthorized", 401),
        ("Forbidden", 403),
        ("LimitReached", 403),
        ("NotFound", 404),
        ("Conflict", 409),
        ("KernelRestarted", 409),
        ("KernelDied", 410),
        ("KernelStartFailed", 500),
        ("ConfigError", 500),
        ("InternalError", 500),
        ("Unreachable", 502),
        ("LinkLost", 502),
        ("TimedOut", 504),
    ],
)
def test_the_status_that_an_error_is_answered_with(name: str, status: int) -> None:
    assert EVERY[name].status == status
    assert isinstance(EVERY[name].status, HTTPStatus)


@pytest.mark.parametrize("name", EVERY)
def test_every_error_but_a_bug_of_ours_may_be_shown(name: str) -> None:
    error = EVERY[name]
    assert issubclass(error, KernelwayError)
    assert error.shown is (error is not InternalError)
    assert error.__doc__
