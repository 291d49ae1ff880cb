"""Whether a kernel can be reached now, as events for whoever shows it to a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from kernelway.client.inbox import Feed, Latest


class LinkStatus(StrEnum):
    """The states of a link; it begins connected, and gone is the end."""

    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    """The socket is broken, and another is tried for; what is asked of the kernel waits meanwhile."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """The state of a link, since a moment in UTC."""

    status: LinkStatus
    since: datetime
    """When this status began; the same for all tries of one break."""
    reason: str = ""
    """Why it is not connected: what broke, or what the latest try met."""
    attempt: int = 0
    """The try that is under way or waited for, from 1; of a connected link, how many it took."""


class LinkEvents:
    """The present state of one link, and who follows it."""

    def __init__(self) -> None:
        self._now = LinkEvent(LinkStatus.CONNECTED, datetime.now(UTC))
        self._followers: list[Latest[LinkEvent]] = []

    @property
    def now(self) -> LinkEvent:
        """The latest event."""
        return self._now

    def follow(self) -> Feed[LinkEvent]:
        """The changes from now on; who reads slowly gets the latest only. It ends after ``GONE``."""
        latest = Latest[LinkEvent]()
        if self._now.status is LinkStatus.GONE:
            latest.end()
        self._followers.append(latest)
        return Feed(latest, lambda: self._forget(latest))

    def change(self, status: LinkStatus, reason: str = "", attempt: int = 0) -> None:
        """Tell a change; nothing changes after ``GONE``."""
        if self._now.status is LinkStatus.GONE:
            return
        since = self._now.since if self._now.status is status else datetime.now(UTC)
        self._now = LinkEvent(status, since, reason, attempt)
        for follower in self._followers:
            follower.put(self._now)
            if status is LinkStatus.GONE:
                follower.end()

    def _forget(self, latest: Latest[LinkEvent]) -> None:
        if latest in self._followers:
            self._followers.remove(latest)
