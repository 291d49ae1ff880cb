"""One gateway of a notebook server: what was last known of it, and whether it answers.

        asked: it answers                      asked: it answers
           ┌────────┐                 ┌──────────────────────────────────┐
           ▼        │                 ▼                                  │
    (never heard from, or answers) ─────▶ unreachable, with a reason ────┤
                          asked: it does not        ▲                    │ asked in the background,
                                                    └────────────────────┘ after a pause
                                                       it does not

Only one question is out at a time. What it did not answer leaves what was known as it was.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

from kernelway.client.backoff import delay
from kernelway.client.gateway import Gateway
from kernelway.client.names import gateway_label
from kernelway.client.options import GatewayOptions
from kernelway.jupyter.asking import Answered, Refused, ask, one_kernel
from kernelway.jupyter.entrance import Entrance
from kernelway.jupyter.lists import Change, Lists
from kernelway.protocol.errors import (
    ConfigError,
    InternalError,
    KernelwayError,
    LinkError,
    TimedOut,
    TunnelFailed,
    Unreachable,
    WrongCredentials,
)
from kernelway.protocol.models import KernelId, KernelModel, KernelSpecModel, RestSessionId, SessionModel
from kernelway.transport import deadlines

_PATIENT: Final = 60.0
_MOST_REASON: Final = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Times in seconds."""

    answers_within: float = 12.0
    """For all that one place is asked at a time: longer than a connection has, so that a missing one is told
    as such. A tunnel and a login may take longer still, and go on."""
    fresh_for: float = 0.5
    """In which what a place has answered is not asked again."""


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """A place that answered does not any more, or one that did not does."""

    place: str
    reason: str | None
    """Why it does not answer, in a short sentence; None where it does."""


class Place:
    """One gateway; made and ended by :class:`Places`, which alone asks it.

    ``options`` blocks, and may raise :class:`ConfigError` (a secret that is not there): then the place is
    unreachable with that reason. ``told`` is called with each change.
    """

    def __init__(
        self,
        name: str,
        options: Callable[[], GatewayOptions],
        *,
        offers_kernelspecs: bool = True,
        is_here: bool = False,
        env: Mapping[str, str] | None = None,
        told: Callable[[PlaceChange], None],
        patience: Patience,
    ) -> None:
        self.name = name
        self.label = gateway_label(name)
        self.offers_kernelspecs = offers_kernelspecs
        """False for this machine's own gateway in the background: only what runs there is shown."""
        self.is_here = is_here
        """Whether its kernels certainly have this machine's files."""
        self.env = dict(env or {})
        """What is added to the environment of each kernel that is started there."""
        self.answered = False
        """Whether it has ever answered."""
        self.error: KernelwayError | None = None
        """What it met, in full, while it does not answer."""
        self.asked_at = 0.0
        """When the latest question went out, on the event loop's clock."""
        self._told = told
        self._patience = patience
        self._entrance = Entrance(name, options)
        self._lists = Lists()
        self._refused = Refused()
        self._started: set[KernelId] = set()
        self._changes: list[Change] = []
        """What this server did itself while the latest question was out."""
        self._doubtful = False
        self._answered_at = 0.0
        self._chance = random.SystemRandom().random
        self._asking: asyncio.Task[None] | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._over = False

    @property
    def gateway(self) -> Gateway:
        """The gateway, entered; raises what it met where it could not be entered yet."""
        gateway = self._entrance.gateway
        if gateway is not None:
            return gateway
        if self.error is not None:
            raise type(self.error)(str(self.error))
        raise Unreachable(f"The connection to {self.name} is not made yet.")

    @property
    def unreachable(self) -> str | None:
        """Why it does not answer, in one short sentence; None while it does, and before it was asked."""
        return None if self.error is None else short_reason(self.error)

    @property
    def keeps_sessions(self) -> bool:
        """False where the server refuses to list sessions, as a kernel_gateway does as it comes."""
        return not self._refused.sessions

    @property
    def kernelspecs(self) -> Mapping[str, KernelSpecModel]:
        """The last known kernelspecs, by their names at the gateway."""
        return self._lists.kernelspecs

    @property
    def default_kernelspec(self) -> str | None:
        """The gateway's default kernelspec; None where that is not known."""
        return self._lists.default_kernelspec

    @property
    def kernels(self) -> Mapping[KernelId, KernelModel]:
        """The last known kernels; of a server that does not list them, those that this server started."""
        return self._lists.kernels

    @property
    def sessions(self) -> Mapping[RestSessionId, SessionModel]:
        """The last known sessions."""
        return self._lists.sessions

    def trouble(self, error: KernelwayError) -> None:
        """A request or a link to it met this error.

        If that is about the way (:class:`Unreachable`, :class:`LinkLost`, ...) the place is asked at once,
        and is unreachable if it does not answer: one connection that broke may have been one of many. An
        error about the request alone (:class:`NotFound`, ...) changes nothing.
        """
        if isinstance(error, LinkError | ConfigError) and self.error is None:
            self.ask(anew=True)

    def ask(self, *, anew: bool = False) -> asyncio.Task[None] | None:
        """The question that is out, or a new one; None where the last answer will do.

        ``anew`` is for who has to know what is there now: neither an answer of a moment ago will do, nor one
        to a question that is out already; another one follows that. The task never fails; waiting for it may
        be given up.
        """
        if self._over:
            return None
        self._doubtful |= anew
        if self._asking is None or self._asking.done():
            if self._is_fresh():
                return None
            self.asked_at = asyncio.get_running_loop().time()
            self._asking = asyncio.create_task(self._ask(), name=f"ask {self.name}")
            self._asking.add_done_callback(self._check)
        return self._asking

    def note(self, change: Change, *, kernel: KernelId | None = None) -> None:
        """What this server did itself is known at once; the next question is asked after it.

        A server that does not list its kernels is asked for this one too from now on.
        """
        if self._asking is None or self._asking.done():
            self._doubtful = True
        else:
            self._changes.append(change)
        self._lists = change(self._lists)
        if kernel is not None:
            self._started.add(kernel)

    async def look_for(self, kernel_id: KernelId) -> None:
        """Ask a server that lists no kernels for this one; if it is there it is known from then on."""
        if not self._refused.kernels or self.error is not None:
            return
        try:
            async with deadlines.timeout(self._patience.answers_within):
                model = await one_kernel(self.gateway.rest, kernel_id)
        except TimeoutError:
            self.trouble(_too_late(self._patience))
        except KernelwayError as error:
            self.trouble(error)
        else:
            if model is not None:
                self.note(lambda lists: lists.with_kernel(model), kernel=kernel_id)

    async def retire(self) -> None:
        """Ask nothing any more; the connections of who is linked to its kernels stay."""
        self._over = True
        tasks = [task for task in (self._retrying, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def aclose(self) -> None:
        """End the connections too; no kernel ends."""
        await self.retire()
        try:
            await self._entrance.aclose()
        except TimeoutError:
            _log.warning("The connection to %s could not be closed in time.", self.name)

    def _is_fresh(self) -> bool:
        if self.error is not None or not self.answered or self._doubtful or self._changes:
            return False
        return asyncio.get_running_loop().time() - self._answered_at < self._patience.fresh_for

    async def _ask(self) -> None:
        while True:
            self.asked_at = asyncio.get_running_loop().time()
            self._doubtful = False
            self._changes.clear()
            # It may be another server by now, or the same with other settings.
            refused = self._refused if self.error is None else Refused()
            try:
                async with deadlines.timeout(self._patience.answers_within):
                    gateway = await self._entrance.open()
                    started = frozenset(self._started)
                    answered = await ask(gateway.rest, refused=refused, started=started)
            except TimeoutError:
                self._met(_too_late(self._patience))
            except KernelwayError as error:
                self._met(error)
            else:
                self._take(answered, started)
            if self.error is not None or not self._doubtful:
                return

    def _take(self, answered: Answered, started: frozenset[KernelId]) -> None:
        self._started -= started - answered.lists.kernels.keys()
        # What this server did since it asked may not be in the answer.
        self._lists = reduce(lambda lists, change: change(lists), self._changes, answered.lists)
        self._refused = answered.refused
        self._answered_at = asyncio.get_running_loop().time()
        self.answered = True
        if self.error is not None:
            self.error = None
            _log.info("%s answers again.", self.name)
            self._told(PlaceChange(self.name, None))

    def _met(self, error: KernelwayError) -> None:
        before, self.error = self.error, error
        if type(before) is not type(error):
            level = logging.WARNING if self.offers_kernelspecs else logging.DEBUG
            _log.log(level, "%s does not answer: %s", self.name, error)
        if before is None and self.answered:
            self._told(PlaceChange(self.name, self.unreachable))
        if (self._retrying is None or self._retrying.done()) and not self._over:
            self._retrying = asyncio.create_task(self._retry(), name=f"ask {self.name} until it answers")

    async def _retry(self) -> None:
        attempt = 0
        while self.error is not None:
            attempt += 1
            await asyncio.sleep(pause(self.error, attempt, self._chance()))
            asking = self.ask()
            if asking is not None:
                await asyncio.wait({asking})

    def _check(self, task: asyncio.Task[None]) -> None:
        """A fault of ours in asking must neither be silent nor end the tries."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("Asking %s failed.", self.name, exc_info=error)
            self._met(InternalError("Asking it failed; the log of this server tells why."))


def short_reason(error: KernelwayError) -> str:
    """The beginning of an error, which says what is wrong: what to do about it is in the log."""
    text = re.sub(r" \(SHA-256 fingerprint [^)]*\)", "", str(error))
    # An address has colons and dots too, but no blank follows them.
    first = re.split(r"[:;.](?:\s|$)", text, maxsplit=1)[0].strip()
    return first if len(first) <= _MOST_REASON else first[:_MOST_REASON].rstrip() + "…"


def pause(error: KernelwayError, attempt: int, chance: float) -> float:
    """Seconds before a place is tried again; ``attempt`` and ``chance`` are as for :func:`delay`.

    Whoever refuses us may lock us out if we insist, and a keyring may ask a person each time.
    """
    denied = isinstance(error, TunnelFailed) and "denied" in str(error)
    refused = isinstance(error, WrongCredentials | ConfigError)
    return _PATIENT if denied or refused else delay(attempt, chance)


def _too_late(patience: Patience) -> TimedOut:
    return TimedOut(f"It does not answer within {patience.answers_within:g} seconds.")
