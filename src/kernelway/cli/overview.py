"""``kernelway kernelspecs`` and ``kernelway sessions``: all gateways side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import structs

from kernelway.cli.finding import Ended, Running, ended, running
from kernelway.cli.places import LOCAL, SavedPlaces, is_bridge
from kernelway.cli.progress import Progress
from kernelway.cli.sentences import say
from kernelway.cli.show.paint import Tone
from kernelway.cli.since import shown_moment
from kernelway.cli.survey import Answer, ask_all
from kernelway.cli.tables import Cell, ago, print_json, print_table, short_ids, size
from kernelway.client import Gateway
from kernelway.client.names import remote_name
from kernelway.client.session import own_session_path
from kernelway.protocol.errors import Forbidden, NotFound
from kernelway.protocol.models import EndedSession, ExecutionState, KernelSpecs, SessionModel
from kernelway.transport.loop import run_loop

_STATE_TONES = {
    ExecutionState.BUSY: Tone.WARNING,
    ExecutionState.DEAD: Tone.BAD,
    ExecutionState.IDLE: Tone.GOOD,
}
_NOT_RUNNING = "not running"
_ENDED = "ended"


def names_to_ask(places: SavedPlaces, on: str | None) -> list[str]:
    """The gateway that was named, or all of them: this machine's first."""
    if on is None:
        return [LOCAL, *(name for name in places.names if name != LOCAL)]
    if on != LOCAL:
        places.options(on)
    return [on]


def list_kernelspecs(*, on: str | None, as_json: bool, environ: Mapping[str, str]) -> int:
    """``kernelway kernelspecs``; the exit status."""
    places = _places(environ)
    names = names_to_ask(places, on)

    async def ask() -> list[Answer[KernelSpecs]]:
        with Progress.on_stderr("Asking the gateways", environ):
            answers = await ask_all(places, [name for name in names if name != LOCAL], Gateway.kernelspecs)
            if LOCAL not in names or LOCAL in places.names:
                return answers
            # Those of this machine are the same on every gateway of it, and none has to run for them.
            async with places.open(None) as private:
                here = _without_bridges(await private.gateway.kernelspecs(), [*places.names, LOCAL])
                return [Answer(name=LOCAL, said=here), *answers]

    answers = run_loop(ask())
    if as_json:
        print_json([entry for answer in answers for entry in _specs_as_json(answer)])
    else:
        rows = [row for answer in answers for row in _spec_rows(answer)]
        headings = ("kernelspec", "language", "name", "gateway")
        print_table(headings, rows, environ=environ, shrinks="name", remarks=_remarks(answers))
    return 0


def _without_bridges(specs: KernelSpecs, known: Sequence[str]) -> KernelSpecs:
    own = {name: model for name, model in specs.kernelspecs.items() if not is_bridge(name, model, known)}
    return structs.replace(specs, kernelspecs=own)


def _specs_as_json(answer: Answer[KernelSpecs]) -> list[dict[str, object]]:
    if answer.said is None:
        return [{"gateway": answer.name, "error": answer.problem}]
    return [
        {
            "gateway": answer.name,
            "name": name,
            "single_name": name if answer.name == LOCAL else remote_name(name, answer.name),
            "language": model.spec.language,
            "display_name": model.spec.display_name,
            "default": name == answer.said.default,
        }
        for name, model in answer.said.kernelspecs.items()
    ]


def _spec_rows(answer: Answer[KernelSpecs]) -> list[list[Cell]]:
    if answer.said is None:
        return []
    return [
        [
            Cell(name if answer.name == LOCAL else remote_name(name, answer.name), Tone.STRONG),
            Cell(model.spec.language),
            Cell(model.spec.display_name),
            Cell(answer.name, Tone.QUIET),
        ]
        for name, model in answer.said.kernelspecs.items()
    ]


def _remarks(answers: Sequence[Answer[Any]]) -> list[tuple[str, Cell]]:
    """What there is to say of the gateways that are in no row."""
    remarks = []
    for answer in answers:
        if answer.problem is not None:
            remarks.append((answer.name, Cell(f"✗ {answer.problem}", Tone.BAD)))
        elif answer.said is None:
            remarks.append((answer.name, Cell(_NOT_RUNNING, Tone.QUIET)))
        elif answer.said == []:
            remarks.append((answer.name, Cell("nothing runs", Tone.QUIET)))
    return remarks


async def what_runs(gateway: Gateway) -> list[Running]:
    """Sessions and kernels of one gateway, whose name is filled in later."""
    kernels = await gateway.kernels()
    try:
        sessions = await gateway.sessions()
    except (Forbidden, NotFound):
        sessions = []
    return running("", kernels, sessions)


@dataclass(frozen=True, slots=True)
class Kept:
    """What one gateway knows of."""

    running: list[Running]
    ended: list[Ended]

    @property
    def ids(self) -> list[str]:
        """The ids that people are shown."""
        return [*(each.id for each in self.running), *(each.id for each in self.ended)]


async def what_is_kept(gateway: Gateway) -> Kept:
    """What runs, and what has ended, on one gateway whose name is filled in later."""
    return Kept(await what_runs(gateway), ended("", await gateway.ended()))


def list_sessions(*, on: str | None, as_json: bool, environ: Mapping[str, str]) -> int:
    """``kernelway sessions``; the exit status."""
    places = _places(environ)
    names = names_to_ask(places, on)

    async def ask() -> list[Answer[Kept]]:
        with Progress.on_stderr("Asking the gateways", environ):
            return await ask_all(places, names, what_is_kept)

    answers = run_loop(ask())
    if as_json:
        print_json([entry for answer in answers for entry in _kept_as_json(answer)])
        return 0
    told = [(answer.name, answer.said) for answer in answers if answer.said is not None]
    ids = short_ids([each for _, kept in told for each in kept.ids])
    now = datetime.now().astimezone()
    runs = [
        Answer(name=each.name, said=each.said.running if each.said else None, problem=each.problem)
        for each in answers
    ]
    rows = [row for answer in runs for row in _session_rows(answer, ids, now)]
    headings = ("gateway", "session", "kernel", "state", "clients", "active", "id", "path")
    print_table(headings, rows, environ=environ, shrinks="path", remarks=_remarks(runs))
    over = [row for name, kept in told for row in _ended_rows(name, kept.ended, ids, now)]
    if over:
        print()
        print_table(
            ("gateway", "ended", "kernel", "when", "kept", "id", "why"), over, environ=environ, wraps="why"
        )
    return 0


def _kept_as_json(answer: Answer[Kept]) -> list[dict[str, object]]:
    if answer.said is None:
        return [{"gateway": answer.name, "error": answer.problem or _NOT_RUNNING}]
    return [
        *_running_as_json(answer.name, answer.said.running),
        *_ended_as_json(answer.name, answer.said.ended),
    ]


def _ended_as_json(gateway: str, there: Sequence[Ended]) -> list[dict[str, object]]:
    return [
        {
            "gateway": gateway,
            "session": None if each.session is None else each.session.id,
            "name": None if each.session is None else each.session.name,
            "path": None if each.session is None else each.session.path,
            "kernel": each.kernel.id,
            "kernelspec": each.kernel.name,
            "state": _ENDED,
            "started": each.kernel.started,
            "ended": each.kernel.ended,
            "reason": each.kernel.reason,
            "size": each.kernel.size,
        }
        for each in there
    ]


def _ended_rows(
    gateway: str, there: Sequence[Ended], ids: Mapping[str, str], now: datetime
) -> list[list[Cell]]:
    return [
        [
            Cell(gateway, Tone.QUIET),
            Cell(each.session.name or shown_path(each.session))
            if each.session is not None
            else Cell("-", Tone.QUIET),
            Cell(each.kernel.name),
            Cell(shown_moment(datetime.fromisoformat(each.kernel.ended), now)),
            Cell(size(each.kernel.size)),
            Cell(ids[each.id], Tone.VALUE),
            Cell(" ".join(each.kernel.reason.split()), Tone.QUIET),
        ]
        for each in there
    ]


def _running_as_json(gateway: str, there: Sequence[Running]) -> list[dict[str, object]]:
    return [
        {
            "gateway": gateway,
            "session": None if each.session is None else each.session.id,
            "name": None if each.session is None else each.session.name,
            "path": None if each.session is None else each.session.path,
            "kernel": each.kernel.id,
            "kernelspec": each.kernel.name,
            "state": each.kernel.execution_state,
            "clients": each.kernel.connections,
            "last_activity": each.kernel.last_activity,
        }
        for each in there
    ]


def _session_rows(answer: Answer[list[Running]], ids: Mapping[str, str], now: datetime) -> list[list[Cell]]:
    return [
        [
            Cell(answer.name, Tone.QUIET),
            Cell(each.session.name, Tone.STRONG) if each.session is not None else Cell("-", Tone.QUIET),
            Cell(each.kernel.name),
            Cell(each.kernel.execution_state, _STATE_TONES.get(each.kernel.execution_state)),
            Cell(str(each.kernel.connections)),
            Cell(ago(each.kernel.last_activity, now)),
            Cell(ids[each.id], Tone.VALUE),
            Cell("" if each.session is None else shown_path(each.session), Tone.QUIET),
        ]
        for each in answer.said or ()
    ]


def shown_path(session: SessionModel | EndedSession) -> str:
    """A session's path, short where it is this user's on this machine; nothing where it is but the name."""
    home = own_session_path(Path.home())
    mine = own_session_path("/").rstrip("/")
    if session.path == f"{mine}/{session.name}":
        return ""
    if session.path.startswith(home + "/"):
        return "~" + session.path.removeprefix(home)
    return session.path.removeprefix(mine) if session.path.startswith(mine + "/") else session.path


def _places(environ: Mapping[str, str]) -> SavedPlaces:
    places = SavedPlaces(environ)
    if places.warning:
        say(places.warning)
    return places
