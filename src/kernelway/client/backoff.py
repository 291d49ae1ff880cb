"""How long to wait before another try: capped and exponential, with full jitter.

Full jitter (any moment up to the bound, each as likely) is what keeps a thousand clients that lost the same
gateway at the same time from coming back at the same time.
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 0.05
"""Seconds before the first try, at most."""

CAP: Final = 5.0
"""Seconds before any try, at most."""


def delay(attempt: int, chance: float) -> float:
    """Seconds before a try, counted from 1; ``chance`` is a random number from 0 to 1."""
    # Beyond this many doublings every bound is the cap, and the power would become a very large number.
    doublings = min(attempt - 1, 30)
    return min(CAP, FIRST * 2.0**doublings) * chance
