"""Which of all sessions and kernels a person means by a name, a path, an id, or the beginning of an id."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from kernelway.protocol.errors import Conflict, NotFound
from kernelway.protocol.models import EndedKernel, EndedSession, KernelModel, SessionModel

_LEAST_PREFIX: Final = 4
_ID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_BEGINNING: Final = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A kernel on a gateway, and the session that it belongs to, if any."""

    place: str
    kernel: KernelModel
    session: SessionModel | None = None

    @property
    def id(self) -> str:
        """The id that people are shown: the session's where there is one."""
        return _id_of(self.kernel, self.session)

    @property
    def name(self) -> str:
        """What messages call it."""
        return _name_of(self.session) or self.kernel.id[:8]

    @property
    def handle(self) -> str:
        """What a person can type for it."""
        return _name_of(self.session) or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A kernel that has ended and whose journal a gateway keeps, and a session that had it, if any."""

    place: str
    kernel: EndedKernel
    session: EndedSession | None = None

    @property
    def id(self) -> str:
        """The id that people are shown: the session's where there is one."""
        return _id_of(self.kernel, self.session)

    @property
    def name(self) -> str:
        """What messages call it."""
        return _name_of(self.session) or self.kernel.id[:8]

    @property
    def handle(self) -> str:
        """What a person can type for it; its name may be that of what came after it."""
        return self.id


def _id_of(kernel: KernelModel | EndedKernel, session: SessionModel | EndedSession | None) -> str:
    return kernel.id if session is None else session.id


def _name_of(session: SessionModel | EndedSession | None) -> str:
    return "" if session is None else session.name


Found: TypeAlias = Running | Ended
T = TypeVar("T", Running, Ended, Found)


def running(place: str, kernels: Sequence[KernelModel], sessions: Sequence[SessionModel]) -> list[Running]:
    """Everything on one gateway: its sessions, and the kernels that belong to none."""
    in_sessions = {session.kernel.id for session in sessions}
    return [
        *(Running(place=place, kernel=session.kernel, session=session) for session in sessions),
        *(Running(place=place, kernel=kernel) for kernel in kernels if kernel.id not in in_sessions),
    ]


def ended(place: str, kernels: Sequence[EndedKernel]) -> list[Ended]:
    """Everything that has ended on one gateway, in the order of the kernels: each session, or the kernel."""
    return [
        Ended(place=place, kernel=kernel, session=session)
        for kernel in kernels
        for session in (kernel.sessions or (None,))
    ]


def is_id(text: str) -> bool:
    """Whether a text is a whole id."""
    return bool(_ID.fullmatch(text))


def looks_like_id(text: str) -> bool:
    """Whether a text is rather an id, or the beginning of one, than a name that somebody chose."""
    return bool(_BEGINNING.fullmatch(text))


def find(candidates: Sequence[T], wanted: str) -> T:
    """The one that is meant; an id or a path goes before a name, and a name before the beginning of an id.

    Raises :class:`NotFound`, or :class:`Conflict` with the choices.
    """
    for matches in (_has_id, _has_name, _begins_with):
        found = [each for each in candidates if matches(each)(wanted)]
        if len({each.kernel.id for each in found}) == 1:
            return found[0]
        if found:
            what = "has ended" if isinstance(found[0], Ended) else "runs"
            raise Conflict(
                f"{wanted!r} can mean {len(found)} of what {what}; say which by its id:\n{choices(found)}"
            )
    if not candidates:
        raise NotFound(f"There is no {wanted!r}: nothing runs there.")
    raise NotFound(f"There is no session or kernel {wanted!r}. There are:\n{choices(candidates)}")


def find_ended(candidates: Sequence[Ended], wanted: str) -> Ended:
    """The one that is meant of those that have ended, the latest first: of one name or path it is the latest.

    Raises :class:`NotFound`, or :class:`Conflict` for the beginning of several ids.
    """
    for matches in (_has_id, _has_name):
        for each in candidates:
            if matches(each)(wanted):
                return each
    return find(candidates, wanted)


def _has_id(each: Found) -> Callable[[str], bool]:
    path = each.session.path if each.session is not None else None
    return lambda wanted: wanted in (each.id, each.kernel.id, path)


def _has_name(each: Found) -> Callable[[str], bool]:
    return lambda wanted: each.session is not None and each.session.name == wanted


def _begins_with(each: Found) -> Callable[[str], bool]:
    return lambda wanted: (
        len(wanted) >= _LEAST_PREFIX and (each.id.startswith(wanted) or each.kernel.id.startswith(wanted))
    )


def choices(of: Sequence[Found]) -> str:
    """One line for each, to choose from."""
    lines = []
    for each in of:
        what = each.session.path if each.session is not None else "no session"
        when = f", ended {each.kernel.ended}" if isinstance(each, Ended) else ""
        lines.append(f"  {each.id}  {what} ({each.kernel.name} on {each.place}{when})")
    return "\n".join(lines)
