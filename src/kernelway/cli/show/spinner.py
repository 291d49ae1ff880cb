"""What turns while somebody waits."""

from __future__ import annotations

from typing import Final

TURN: Final = 0.1
"""Seconds between two of its pictures."""

_PICTURES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PATIENCE: Final = 2.0


def spinner(seconds: float) -> str:
    """Its picture after so many seconds, and how many they are once that is news."""
    turning = _PICTURES[int(seconds / TURN) % len(_PICTURES)]
    return f"{turning} {int(seconds)} s" if seconds >= _PATIENCE else turning
