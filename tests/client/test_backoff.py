"""How long another try is waited for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernelway.client.backoff import CAP, FIRST, delay


@given(attempt=st.integers(1, 10**9), chance=st.floats(0, 1))
def test_every_wait_is_anywhere_below_its_bound(attempt: int, chance: float) -> None:
    assert 0 <= delay(attempt, chance) <= min(CAP, delay(attempt, 1.0)) <= CAP
    assert delay(attempt, 0.0) == 0


def test_the_bounds_double_from_the_first_to_the_cap() -> None:
    assert delay(1, 1.0) == FIRST <= 0.05
    bounds = [delay(attempt, 1.0) for attempt in range(1, 10)]
    assert bounds[:3] == [0.05, 0.1, 0.2]
    assert bounds[-1] == CAP == 5
