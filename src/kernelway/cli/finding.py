"""Which of all running sessions and kernels a person means by a name, an id, or the beginning of an id."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kernelway.protocol.errors import Conflict, NotFound
from kernelway.protocol.models import KernelModel, SessionModel

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
        return self.kernel.id if self.session is None else self.session.id

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.session.name if self.session is not None and self.session.name else self.kernel.id[:8]


def running(place: str, kernels: Sequence[KernelModel], sessions: Sequence[SessionModel]) -> list[Running]:
    """Everything on one gateway: its sessions, and the kernels that belong to none."""
    in_sessions = {session.kernel.id for session in sessions}
    return [
        *(Running(place=place, kernel=session.kernel, session=session) for session in sessions),
        *(Running(place=place, kernel=kernel) for kernel in kernels if kernel.id not in in_sessions),
    ]


def is_id(text: str) -> bool:
    """Whether a text is a whole id."""
    return bool(_ID.fullmatch(text))


def looks_like_id(text: str) -> bool:
    """Whether a text is rather an id, or the beginning of one, than a name that somebody chose."""
    return bool(_BEGINNING.fullmatch(text))


def find(candidates: Sequence[Running], wanted: str) -> Running:
    """The one that is meant; an id or a path goes before a name, and a name before the beginning of an id.

    Raises :class:`NotFound`, or :class:`Conflict` with the choices.
    """
    for matches in (_has_id, _has_name, _begins_with):
        found = [each for each in candidates if matches(each)(wanted)]
        if len({each.kernel.id for each in found}) == 1:
            return found[0]
        if found:
            raise Conflict(
                f"{wanted!r} can mean {len(found)} of what runs; say which by its id:\n{choices(found)}"
            )
    if not candidates:
        raise NotFound(f"There is no {wanted!r}: nothing runs there.")
    raise NotFound(f"There is no session or kernel {wanted!r}. There are:\n{choices(candidates)}")


def _has_id(each: Running) -> Callable[[str], bool]:
    path = each.session.path if each.session is not None else None
    return lambda wanted: wanted in (each.id, each.kernel.id, path)


def _has_name(each: Running) -> Callable[[str], bool]:
    return lambda wanted: each.session is not None and each.session.name == wanted


def _begins_with(each: Running) -> Callable[[str], bool]:
    return lambda wanted: (
        len(wanted) >= _LEAST_PREFIX and (each.id.startswith(wanted) or each.kernel.id.startswith(wanted))
    )


def choices(of: Sequence[Running]) -> str:
    """One line for each, to choose from."""
    lines = []
    for each in of:
        what = each.session.path if each.session is not None else "no session"
        lines.append(f"  {each.id}  {what} ({each.kernel.name} on {each.place})")
    return "\n".join(lines)
