"""The kernel that a command runs its code on, where the rules do not need one that runs."""

from __future__ import annotations

import pytest

from kernelway.cli.finding import Running
from kernelway.cli.opening import Order, check_language
from kernelway.cli.places import LOCAL
from kernelway.protocol.errors import InvalidRequest
from kernelway.protocol.models import ExecutionState, KernelId, KernelModel

FOUND = Running(
    place="gpu", kernel=KernelModel(KernelId("01234567-89"), "ir", "", ExecutionState.IDLE, 0), session=None
)


@pytest.mark.parametrize(
    ("on", "session", "place"),
    [
        (None, None, None),
        (None, "train", LOCAL),
        ("gpu", None, "gpu"),
        ("gpu", "train", "gpu"),
        (LOCAL, None, LOCAL),
    ],
)
def test_only_what_must_last_leaves_the_private_gateway(
    on: str | None, session: str | None, place: str | None
) -> None:
    assert Order(on=on, session=session, env={}).place == place


def test_code_does_not_run_on_a_kernel_of_another_language_by_accident() -> None:
    with pytest.raises(
        InvalidRequest, match=r"The code is python, and 01234567 on gpu runs r: .* --kernel ir"
    ):
        check_language(FOUND, Order(env={}), code="python", kernel="r")


@pytest.mark.parametrize(
    ("order", "code", "kernel"),
    [
        (Order(env={}), "r", "r"),
        (Order(env={}), None, "r"),
        (Order(env={}), "python", None),
        (Order(kernel="ir", env={}), "python", "r"),
    ],
)
def test_it_does_where_that_was_said_or_cannot_be_known(
    order: Order, code: str | None, kernel: str | None
) -> None:
    check_language(FOUND, order, code=code, kernel=kernel)
