"""The arguments of ``gateways``, and of the commands that look at what runs on them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_ADD_EPILOG = """\
examples:
  kernelway gateways add gpu http://gpu:8888
      It asks for the token if it needs one.
  kernelway gateways add lab 'http://localhost:8888/lab?token=...'
      As copied from a browser, or from what the server prints.
  kernelway gateways add box http://localhost:8888 --ssh me@box
      Through ssh; the URL is what that machine calls the server.

Other users of this machine can read a command line: let it ask for the token,
or use --token-env.
"""


def add_gateways(commands: Subparsers) -> None:
    """``gateways`` and its own commands."""
    gateways = commands.add_parser(
        "gateways",
        help="list, add, check and remove gateways",
        description="The saved gateways, in gateways.json in Jupyter's configuration folder. "
        "Without a command they are listed.",
    )
    gateways.add_argument("--json", action="store_true", help="Write the list as JSON.")
    gateways.set_defaults(command=_list)
    own = gateways.add_subparsers(title="commands", metavar="COMMAND")
    listing = own.add_parser("list", help="list them, and whether they answer")
    # A default here would undo what was said before the word `list`.
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="Write JSON.")
    listing.set_defaults(command=_list)
    _add_add(own)
    check = own.add_parser("check", help="say what answers at one, or what is wrong")
    check.add_argument("name", metavar="NAME")
    check.set_defaults(command=_check)
    remove = own.add_parser("remove", help="forget one; what runs there goes on")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(command=_remove)


def _add_add(own: Subparsers) -> None:
    add = own.add_parser(
        "add",
        help="try one, and remember it",
        description="Try a gateway, and remember it under a name.\n"
        "On a terminal it asks for what is missing.",
        epilog=_ADD_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("name", metavar="NAME", help="What to call it.")
    add.add_argument(
        "url", metavar="URL", help="As in http://gpu:8888; a token and a page in it are taken off."
    )
    token = add.add_mutually_exclusive_group()
    token.add_argument("--token", metavar="TOKEN", help="What it is shown.")
    token.add_argument("--token-env", metavar="NAME", help="Take the token from this variable, each time.")
    add.add_argument("--user", metavar="NAME", help="The user of a login with a password.")
    add.add_argument(
        "--password-env", metavar="NAME", help="Take the password from this variable, each time."
    )
    add.add_argument("--ssh", metavar="USER@HOST", help="Go through ssh to this machine.")
    add.add_argument(
        "--fingerprint", metavar="SHA256", help="Trust the certificate with this fingerprint alone."
    )
    add.add_argument("--ca-file", metavar="FILE", help="Trust the authorities in this file, PEM.")
    add.add_argument("--client-cert", metavar="FILE", help="Show this certificate, PEM.")
    add.add_argument("--client-key", metavar="FILE", help="The key of that certificate, PEM.")
    add.add_argument(
        "--header", metavar="K=V", action="append", default=[], help="Send this header. May be repeated."
    )
    add.add_argument(
        "--force", action="store_true", help="Save it even if it does not answer or is there already."
    )
    add.set_defaults(command=_add)


def add_kernelspecs(commands: Subparsers) -> None:
    """``kernelspecs``."""
    kernelspecs = commands.add_parser(
        "kernelspecs",
        help="list what kernels can be started, here and on gateways",
        description="List the kernelspecs of this machine and of all gateways. Each name can be given to "
        "`kernelway run --kernel`.",
    )
    _add_list_options(kernelspecs)
    kernelspecs.set_defaults(command=_kernelspecs)


def add_sessions(commands: Subparsers) -> None:
    """``sessions``."""
    sessions = commands.add_parser(
        "sessions",
        help="list the sessions and kernels that run, and those that have ended",
        description="List the sessions and kernels of all gateways, those of this machine as `local`. Below "
        "them are those that have ended and whose output is kept: `kernelway log` reads it.",
    )
    _add_list_options(sessions)
    sessions.set_defaults(command=_sessions)


def _add_list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--on", metavar="NAME", help="Only those of this gateway.")
    parser.add_argument("--json", action="store_true", help="Write JSON.")


def add_control(commands: Subparsers) -> None:
    """``interrupt``, ``restart`` and ``shutdown``."""
    for action, help_, more in (
        ("interrupt", "interrupt the code that a kernel runs", "Interrupt the code that a kernel runs."),
        ("restart", "restart a kernel", "Restart a kernel, with nothing in it. Its session stays."),
        ("shutdown", "end a kernel and its session", "End a kernel and its session."),
    ):
        parser = commands.add_parser(action, help=help_, description=more)
        parser.add_argument(
            "id", metavar="ID", help="A session's name, its id or its kernel's, or the beginning of one."
        )
        parser.add_argument("--on", metavar="NAME", help="Look on this gateway only.")
        parser.set_defaults(command=_control, action=action)


def _list(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.gateways import list_gateways

    return list_gateways(as_json=given.json, environ=environ)


def _check(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.gateways import check_gateway

    return check_gateway(given.name, environ=environ)


def _remove(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.gateways import remove_gateway

    return remove_gateway(given.name, environ=environ)


def _add(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.adding import Addition, absolute, add_gateway

    options: dict[str, Any] = {
        "token": given.token,
        "tokenEnv": given.token_env,
        "user": given.user,
        "passwordEnv": given.password_env,
        "ssh": given.ssh,
        "fingerprint": given.fingerprint,
        "caFile": given.ca_file and absolute(given.ca_file),
        "clientCert": given.client_cert and absolute(given.client_cert),
        "clientKey": given.client_key and absolute(given.client_key),
        "requestHeaders": _headers(given.header),
    }
    addition = Addition(
        name=given.name,
        url=given.url,
        options={key: value for key, value in options.items() if value},
        force=given.force,
    )
    return add_gateway(addition, environ=environ)


def _headers(given: list[str]) -> dict[str, str]:
    from kernelway.protocol.errors import InvalidRequest

    headers = {}
    for header in given:
        name, equals, value = header.partition("=")
        if not equals:
            # It is not shown: it may be a secret that was given without its name.
            raise InvalidRequest("--header needs a name and a value, as in --header X-Team=blue.")
        headers[name.strip()] = value.strip()
    return headers


def _kernelspecs(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.overview import list_kernelspecs

    return list_kernelspecs(on=given.on, as_json=given.json, environ=environ)


def _sessions(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.overview import list_sessions

    return list_sessions(on=given.on, as_json=given.json, environ=environ)


def _control(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.control import control

    return control(given.action, given.id, on=given.on, environ=environ)
