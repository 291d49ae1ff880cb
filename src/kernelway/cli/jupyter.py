"""``kernelway jupyter``: the extension of notebook servers switched on and off, and what it finds."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kernelway.cli.places import SavedPlaces
from kernelway.cli.progress import Progress
from kernelway.cli.sentences import say
from kernelway.cli.show.paint import Tone
from kernelway.cli.survey import Answer, ask_all
from kernelway.cli.tables import Cell, print_json, print_table
from kernelway.client import Gateway, Server
from kernelway.protocol.errors import ConfigError
from kernelway.transport.loop import run_loop

if TYPE_CHECKING:
    from kernelway.jupyter.enabling import Said

EXTRA: Final = "pip install 'kernelway[jupyter]'"


@contextlib.contextmanager
def needing_jupyter() -> Iterator[None]:
    """Around an import of what needs jupyter_server: :class:`ConfigError` where that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("kernelway"):
            raise
        raise ConfigError(f"This needs {error.name}, which is not installed: {EXTRA}") from error


def turn(*, on: bool, level: str | None) -> int:
    """``kernelway jupyter enable`` and ``disable``; the exit status."""
    with needing_jupyter():
        from kernelway.jupyter import enabling
    usual = enabling.Level.USER if sys.prefix == sys.base_prefix else enabling.Level.SYS_PREFIX
    folder = enabling.folder_of(usual if level is None else enabling.Level(level))
    if on and (fault := enabling.fault()) is not None:
        raise ConfigError(f"jupyter_server cannot load the extension: {fault}")
    path = enabling.turn(folder, on=on)
    word = "enabled" if on else "disabled"
    say(f"The extension is {word} in {path}: notebook servers heed that when they start.", stream=sys.stdout)
    first = next(iter(enabling.said()), None)
    if first is not None and first.on != on:
        other = "enabled" if first.on else "disabled"
        say(f"But it stays {other}: {first.folder} says so, and comes first.")
        return 1
    return 0


def status(*, as_json: bool, environ: Mapping[str, str]) -> int:
    """``kernelway jupyter status``; the exit status is 0 where the extension is on and can be loaded."""
    with needing_jupyter():
        from kernelway.jupyter import enabling
    said, fault, versions = enabling.said(), enabling.fault(), enabling.versions()
    places = SavedPlaces(environ)
    if places.warning:
        say(places.warning)

    async def ask() -> list[Answer[Server]]:
        with Progress.on_stderr("Asking the gateways", environ):
            return await ask_all(places, places.names, Gateway.check)

    answers = run_loop(ask())
    is_on = bool(said) and said[0].on
    if as_json:
        print_json(
            {
                "enabled": is_on,
                "folders": [{"folder": str(each.folder), "enabled": each.on} for each in said],
                "error": fault,
                "versions": versions,
                "gateways": [_as_json(answer) for answer in answers],
            }
        )
    else:
        lines = [*_said(said), _loads(fault), _found(versions)]
        say("\n".join(lines), stream=sys.stdout)
        _show(answers, environ)
    return 0 if is_on and fault is None else 1


def _said(said: Sequence[Said]) -> list[str]:
    if not said:
        return ["The extension is not enabled: `kernelway jupyter enable`, or `kernelway lab` for one run."]
    lines = [f"The extension is {'enabled' if each.on else 'disabled'} in {each.folder}." for each in said]
    return lines if len(lines) == 1 else [*lines, "The first of these counts."]


def _loads(fault: str | None) -> str:
    if fault is None:
        return "jupyter_server can load it."
    return f"jupyter_server cannot load it: {fault}"


def _found(versions: Mapping[str, str | None]) -> str:
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    missing = " and ".join(name for name, version in versions.items() if version is None)
    return f"Installed here: {found}." + (f" Not installed: {missing}." if missing else "")


def _show(answers: Sequence[Answer[Server]], environ: Mapping[str, str]) -> None:
    if not answers:
        say("No gateways are saved: `kernelway gateways add NAME URL` adds one.", stream=sys.stdout)
        return
    print()
    rows = [[Cell(answer.name, Tone.STRONG), _state(answer)] for answer in answers]
    print_table(("gateway", "state"), rows, environ=environ, wraps="state")


def _state(answer: Answer[Server]) -> Cell:
    if answer.said is None:
        return Cell(f"✗ {answer.problem}", Tone.BAD)
    return Cell(f"✓ {answer.said.kind} {answer.said.version}", Tone.GOOD)


def _as_json(answer: Answer[Server]) -> dict[str, object]:
    server = answer.said
    return {
        "name": answer.name,
        "server": None if server is None else {"kind": server.kind, "version": server.version},
        "error": answer.problem,
    }
