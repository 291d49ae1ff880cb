"""Whether a kernel that died is started again, as jupyter_client's restarter decides it."""

from __future__ import annotations

from dataclasses import dataclass

RESTART_LIMIT = 5
"""Restarts in a row, each before the kernel had run for :data:`STABLE_AFTER`."""

STABLE_AFTER = 10.0
"""Seconds; a kernel that ran longer than this had a good start, and its deaths are counted anew."""


@dataclass(slots=True)
class RestartPolicy:
    """Counts the deaths of one kernel."""

    deaths: int = 0

    def restart_after(self, lifetime: float) -> bool:
        """Note a death after so many seconds of life; whether to start the kernel again."""
        self.deaths = 1 if lifetime > STABLE_AFTER else self.deaths + 1
        return self.deaths <= RESTART_LIMIT
