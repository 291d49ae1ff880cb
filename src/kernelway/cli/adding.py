"""``kernelway gateways add``: a gateway is tried before it is saved, and what it needs is asked for."""

from __future__ import annotations

import getpass
import re
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kernelway.cli.gateways import described
from kernelway.cli.places import LOCAL
from kernelway.cli.progress import Progress
from kernelway.cli.sentences import say
from kernelway.client import Gateway
from kernelway.client.entries import read_entry
from kernelway.client.options import UNIX_PREFIX, GatewayOptions
from kernelway.client.saved import GatewaysFile
from kernelway.protocol.errors import (
    ConfigError,
    Conflict,
    KernelwayError,
    WrongCertificate,
    WrongCredentials,
)
from kernelway.transport.loop import run_loop

_MOST_QUESTIONS: Final = 4
_FINGERPRINT: Final = re.compile(r" \(SHA-256 fingerprint ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\)")

# What Jupyter's own pages put behind the base URL, which is what people copy from their browser.
_PAGES: Final = re.compile(r"/(?:lab|tree|notebooks|edit|view|doc|consoles|nbclassic|login|api)(?:/.*)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What the command line says of a gateway to add; ``options`` are as in the file, without the URL."""

    name: str
    url: str
    options: Mapping[str, Any]
    force: bool = False


def split_url(text: str) -> tuple[str, str | None]:
    """The base URL and the token in what a person pastes: with or without ``http://``, a page or a token."""
    if text.startswith(UNIX_PREFIX):
        return text, None
    parts = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
    tokens = urllib.parse.parse_qs(parts.query).get("token")
    path = _PAGES.sub("", parts.path.rstrip("/"))
    base = urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return base, tokens[0] if tokens else None


def add_gateway(addition: Addition, *, environ: Mapping[str, str]) -> int:
    """Try a gateway, ask for what it needs, and save it; the exit status."""
    file = GatewaysFile()
    _check_name(addition, file)
    base, token = split_url(addition.url)
    options: dict[str, Any] = {"baseUrl": base, **addition.options}
    if token is not None and not any(key.startswith(("token", "password")) for key in options):
        options["token"] = token
    try:
        found = _tried(addition.name, options, file, environ)
    except KernelwayError as error:
        if not addition.force or isinstance(error, ConfigError):
            raise
        found = f"Saved {addition.name}, which does not work yet: {error}"
    if addition.force and addition.name in _names(file):
        file.remove(addition.name)
    file.add(addition.name, options)
    say(
        f"{found}\nRun a file there with: kernelway run FILE --on {_quoted(addition.name)}", stream=sys.stdout
    )
    return 0


def _check_name(addition: Addition, file: GatewaysFile) -> None:
    if addition.name == LOCAL:
        raise ConfigError(f"{LOCAL!r} is the gateway of this machine: give this one another name.")
    if addition.name in _names(file) and not addition.force:
        raise Conflict(
            f"There is a gateway {addition.name!r} already: remove it, choose another name, or say --force "
            "to put this one in its place."
        )


def _names(file: GatewaysFile) -> list[str]:
    return [gateway.name for gateway in file.read().gateways]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.@+-]+", name) else f"'{name}'"


def _tried(name: str, options: dict[str, Any], file: GatewaysFile, environ: Mapping[str, str]) -> str:
    """What answers, in words; ``options`` are completed with what the person is asked for."""
    for _ in range(_MOST_QUESTIONS):
        entry = read_entry({"name": name, "options": options})
        ready = entry.resolve(environ=environ, folder=file.path.parent)
        try:
            return run_loop(_check(name, ready, environ))
        except WrongCredentials as error:
            if not _ask_for_secret(name, options, error):
                raise
        except WrongCertificate as error:
            if not _ask_for_pin(options, error):
                raise
    raise ConfigError(f"{name} was not added: it asks for more and more.")


async def _check(name: str, options: GatewayOptions, environ: Mapping[str, str]) -> str:
    with Progress.on_stderr(f"Asking {name}", environ):
        async with Gateway.from_options(options) as gateway:
            server = await gateway.check()
            return described(name, gateway, server, await gateway.kernelspecs())


def _ask_for_secret(name: str, options: dict[str, Any], error: WrongCredentials) -> bool:
    """Ask for the password where a user was named, else for the token, once; whether there is one now."""
    secret = "password" if "user" in options else "token"
    is_given = any(key.startswith(("token", "password", "requestHeaders")) for key in options)
    if is_given or not sys.stdin.isatty():
        return False
    say(str(error))
    typed = getpass.getpass(f"{secret.capitalize()} of {name}: ").strip()
    if typed:
        options[secret] = typed
    return bool(typed)


def _ask_for_pin(options: dict[str, Any], error: WrongCertificate) -> bool:
    """Offer to accept one certificate that nobody vouches for; whether the person wants that."""
    seen = _FINGERPRINT.search(str(error))
    is_settled = "fingerprint" in options or "caFile" in options
    if seen is None or is_settled or not sys.stdin.isatty():
        return False
    problem, fingerprint = str(error)[: seen.start()], seen[1]
    middle = len(fingerprint) // 2 + 1
    say(
        f"{problem}.\nIts SHA-256 fingerprint is\n\n  {fingerprint[:middle]}\n  {fingerprint[middle:]}"
        "\n\nThe server's owner can tell whether that is right:\n"
        "  openssl x509 -in CERTIFICATE -noout -fingerprint -sha256"
    )
    answer = input("Trust this certificate from now on? [y/N] ").strip().lower()
    if answer in ("y", "yes"):
        options["fingerprint"] = fingerprint
    return "fingerprint" in options


def absolute(path: str) -> str:
    """A path of the command line, for a file that is read from other folders."""
    return str(Path(path).expanduser().absolute())
