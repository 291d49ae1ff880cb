"""When a kernel that died is started again."""

from __future__ import annotations

import pytest

from kernelway.host.restart_policy import RestartPolicy


@pytest.mark.parametrize(
    ("lifetimes", "answers"),
    [
        ([0.0], [True]),
        ([0.1] * 5, [True] * 5),
        ([0.1] * 7, [True] * 5 + [False] * 2),
        ([10.0] * 6, [True] * 5 + [False]),
        ([10.1] * 20, [True] * 20),
        # One good start, and the deaths are counted anew; its own is the first of them.
        ([1.0] * 5 + [60.0] + [1.0] * 5, [True] * 10 + [False]),
        ([1.0] * 6 + [60.0], [True] * 5 + [False, True]),
    ],
)
def test_five_deaths_in_a_row_are_too_many(lifetimes: list[float], answers: list[bool]) -> None:
    policy = RestartPolicy()
    assert [policy.restart_after(lifetime) for lifetime in lifetimes] == answers
