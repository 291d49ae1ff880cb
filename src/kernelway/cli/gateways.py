"""``kernelway gateways``: the saved gateways listed, checked and removed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from kernelway.cli.places import SavedPlaces
from kernelway.cli.progress import Progress
from kernelway.cli.sentences import say
from kernelway.cli.show.paint import Tone
from kernelway.cli.survey import Answer, ask_all
from kernelway.cli.tables import Cell, print_json, print_table
from kernelway.client import Gateway, Server
from kernelway.client.entries import SavedGateway
from kernelway.client.saved import GatewaysFile
from kernelway.protocol.errors import Forbidden, NotFound
from kernelway.protocol.models import KernelSpecs
from kernelway.transport.loop import run_loop

_CREDENTIALS: Final = {
    "token": "token",
    "tokenEnv": "token from ${}",
    "tokenKeyring": "token from the keyring",
    "password": "password",
    "passwordEnv": "password from ${}",
    "passwordKeyring": "password from the keyring",
    "clientCert": "certificate",
}
"""The keys of an entry that admit us, and the words for them, where ``{}`` is their value."""


def credentials(options: Mapping[str, Any]) -> str:
    """What a gateway is shown to let us in, in words; never the secret itself."""
    words = [phrase.format(options[key]) for key, phrase in _CREDENTIALS.items() if options.get(key)]
    if any(name.lower() == "authorization" for name in options.get("requestHeaders", {})):
        words.append("header")
    return ", ".join(words) or "none"


def list_gateways(*, as_json: bool, environ: Mapping[str, str]) -> int:
    """``kernelway gateways``; the exit status."""
    file = GatewaysFile()
    saved = file.read()
    if saved.warning:
        say(saved.warning)
    places = SavedPlaces(environ, file=file)

    async def ask() -> list[Answer[Server]]:
        with Progress.on_stderr("Asking the gateways", environ):
            return await ask_all(places, places.names, Gateway.check)

    answers = run_loop(ask())
    if as_json:
        print_json([_as_json(*pair) for pair in zip(saved.gateways, answers, strict=True)])
    elif not answers:
        say(
            f"No gateways are saved in {file.path}. `kernelway gateways add NAME URL` adds one.",
            stream=sys.stdout,
        )
    else:
        rows = [_row(*pair) for pair in zip(saved.gateways, answers, strict=True)]
        print_table(("name", "url", "credentials", "state"), rows, environ=environ, wraps="state")
    return 0


def _url(gateway: SavedGateway) -> str:
    url, ssh = gateway.options["baseUrl"], gateway.options.get("ssh")
    return f"{url} (ssh {ssh})" if ssh else f"{url}"


def _row(gateway: SavedGateway, answer: Answer[Server]) -> list[Cell]:
    if answer.said is None:
        state = Cell(f"✗ {answer.problem}", Tone.BAD)
    else:
        state = Cell(f"✓ {answer.said.kind} {answer.said.version}", Tone.GOOD)
    return [
        Cell(gateway.name, Tone.STRONG),
        Cell(_url(gateway)),
        Cell(credentials(gateway.options), Tone.QUIET),
        state,
    ]


def _as_json(gateway: SavedGateway, answer: Answer[Server]) -> dict[str, object]:
    server = answer.said
    return {
        "name": gateway.name,
        "url": gateway.options["baseUrl"],
        "credentials": credentials(gateway.options),
        "server": None if server is None else {"kind": server.kind, "version": server.version},
        "error": answer.problem,
    }


def check_gateway(name: str, *, environ: Mapping[str, str]) -> int:
    """``kernelway gateways check``: say what answers, or raise what is wrong and what to do about it."""
    places = SavedPlaces(environ)

    async def ask() -> str:
        async with places.open(name) as place:
            with Progress.on_stderr(f"Asking {name}", environ):
                server = await place.gateway.check()
                specs = await place.gateway.kernelspecs()
                return "\n".join([described(name, place.gateway, server, specs), await _load(place.gateway)])

    say(run_loop(ask()), stream=sys.stdout)
    return 0


def described(name: str, gateway: Gateway, server: Server, specs: KernelSpecs) -> str:
    """Who answers, and what can be started there."""
    kernels = ", ".join(
        f"{spec} ({model.spec.language})" if model.spec.language else spec
        for spec, model in specs.kernelspecs.items()
    )
    return (
        f"{name} is a {server.kind} {server.version} at {gateway.options.base_url}, and lets us in.\n"
        f"Kernels that it can start: {kernels or 'none'}."
    )


async def _load(gateway: Gateway) -> str:
    try:
        kernels = await gateway.kernels()
    except (Forbidden, NotFound):
        return "It does not tell what runs there."
    if not kernels:
        return "Nothing runs there now."
    return f"{len(kernels)} {'kernel runs' if len(kernels) == 1 else 'kernels run'} there now."


def remove_gateway(name: str, *, environ: Mapping[str, str]) -> int:
    """``kernelway gateways remove``; what runs there goes on."""
    places = SavedPlaces(environ)
    file = GatewaysFile()
    if name not in places.names:
        places.options(name)
    file.remove(name)
    say(f"Removed {name} from {file.path}. What runs there goes on.", stream=sys.stdout)
    return 0
