"""What turns while somebody waits."""

from __future__ import annotations

import pytest

from kernelway.cli.show.spinner import TURN, spinner


def test_it_turns() -> None:
    assert len({spinner(number * TURN + TURN / 2) for number in range(10)}) == 10


@pytest.mark.parametrize(("seconds", "ending"), [(0.5, ""), (1.9, ""), (2.05, " 2 s"), (75.5, " 75 s")])
def test_it_tells_how_long_it_has_been_once_that_is_news(seconds: float, ending: str) -> None:
    assert spinner(seconds)[1:] == ending
