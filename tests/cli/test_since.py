"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kernelway.cli.since import moment, shown_moment
from kernelway.protocol.errors import InvalidRequest

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 21, 14, 30, 0, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("3D", NOW - timedelta(days=3)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=ZONE)),
        ("2026-11-20T10:00", datetime(2026, 11, 20, 10, tzinfo=ZONE)),
        ("2026-11-20 10:00:05", datetime(2026, 11, 20, 10, 0, 5, tzinfo=ZONE)),
        ("2026-11-20T10:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("today", datetime(2026, 11, 21, tzinfo=ZONE)),
        ("yesterday", datetime(2026, 11, 20, tzinfo=ZONE)),
    ],
)
def test_times_and_durations(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "10", "m", "soon", "2026-13-01", "99999999999d", "-5m"])
def test_what_is_no_time_gets_examples(text: str) -> None:
    with pytest.raises(InvalidRequest, match="say how long ago"):
        moment(text, NOW)


def test_a_moment_of_another_day_has_its_date() -> None:
    assert shown_moment(datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC), NOW) == "12:00:01"
    assert shown_moment(datetime(2026, 11, 20, 23, 0, 1, tzinfo=UTC), NOW) == "01:00:01"
    assert shown_moment(datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC), NOW) == "2026-11-20 12:00:01"
