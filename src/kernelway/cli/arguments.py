"""All commands, and the arguments of ``serve`` and ``stop``; nothing heavy is imported before one runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kernelway.cli import (
    bridge_arguments,
    gateway_arguments,
    history_arguments,
    jupyter_arguments,
    kernelspec_arguments,
    run_arguments,
)
from kernelway.settings import Setting, all_settings

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_METAVARS = {
    "state_dir": "DIR",
    "root_dir": "DIR",
    "ip": "ADDRESS",
    "base_url": "PATH",
    "token": "TOKEN",
    "preload": "MODULES",
}


def add_serve(commands: Subparsers) -> None:
    """``serve``, with a flag for every setting."""
    serve = commands.add_parser(
        "serve",
        help="serve kernels on this machine to clients anywhere",
        description="Serve kernels on this machine over HTTP and WebSocket, as Jupyter does.",
        epilog="Every flag is also a variable (KERNELWAY_CULL_INTERVAL) and a key of the --config file "
        "(cull_interval); a flag wins over a variable, a variable over the file.",
    )
    for setting in all_settings():
        _add_setting(serve, setting)
    serve.add_argument("--config", metavar="FILE", type=Path, help="Settings from a TOML file.")
    serve.add_argument(
        "--show-config", action="store_true", help="Print the settings and where each is from."
    )
    serve.add_argument("--background", action="store_true", help="Return at once and outlive the terminal.")
    serve.add_argument(
        "--replace",
        action="store_true",
        help="Start the gateway that runs anew from what is installed now; its kernels run on.",
    )
    serve.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    serve.set_defaults(command=_serve, talks=False)


def _add_setting(parser: argparse.ArgumentParser, setting: Setting) -> None:
    options: dict[str, Any] = {"dest": setting.name, "default": None, "help": _help(setting)}
    if setting.is_switch:
        parser.add_argument(setting.flag, action="store_true", **options)
        return
    if isinstance(setting.default, StrEnum):
        options["choices"] = [member.value for member in type(setting.default)]
    else:
        options["metavar"] = _METAVARS.get(setting.name, _metavar(setting))
    parser.add_argument(setting.flag, action="append" if setting.is_list else "store", **options)


def _metavar(setting: Setting) -> str:
    if isinstance(setting.default, int | float):
        return "N"
    return setting.name.split("_")[-1].upper()


def _help(setting: Setting) -> str:
    default = setting.default
    if default is None or isinstance(default, bool) or default in ((), ""):
        return setting.help
    return f"{setting.help} [{default}]"


def _serve(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.settings import resolve

    flags = {setting.name: getattr(given, setting.name) for setting in all_settings()}
    resolved = resolve(flags=flags, environ=environ, config=given.config)
    if given.show_config:
        print(resolved.show())
        return 0
    if given.background:
        from kernelway.cli.background import serve_in_background

        return serve_in_background(resolved, environ)
    if given.replace:
        from kernelway.cli.replacing import replace

        return replace(resolved, environ)
    from kernelway.transport.loading import load_aiohttp

    load_aiohttp()
    from kernelway.cli.serve import serve

    return serve(resolved, environ, ready_fd=given.ready_fd)


def add_stop(commands: Subparsers) -> None:
    """``stop``."""
    stop = commands.add_parser(
        "stop",
        help="end a gateway of this machine, and its kernels",
        description="End a gateway that runs on this machine, and its kernels. "
        "Without an option, the only one there is.",
    )
    which = stop.add_mutually_exclusive_group()
    which.add_argument("--port", type=int, metavar="N", help="The gateway that listens on this port.")
    which.add_argument("--state-dir", type=Path, metavar="DIR", help="The gateway that uses this folder.")
    stop.set_defaults(command=_stop, talks=False)


def _stop(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.background import stop

    return stop(environ, port=given.port, state_dir=given.state_dir)


_COMMANDS: Mapping[str, Callable[[Subparsers], None]] = {
    "run": run_arguments.add_run,
    "exec": run_arguments.add_exec,
    "attach": history_arguments.add_attach,
    "log": history_arguments.add_log,
    "gateways": gateway_arguments.add_gateways,
    "kernelspecs": gateway_arguments.add_kernelspecs,
    "kernelspec": kernelspec_arguments.add_kernelspec,
    "sessions": gateway_arguments.add_sessions,
    **dict.fromkeys(("interrupt", "restart", "shutdown"), gateway_arguments.add_control),
    "bridge": bridge_arguments.add_bridge,
    "lab": jupyter_arguments.add_lab,
    "jupyter": jupyter_arguments.add_jupyter,
    "serve": add_serve,
    "stop": add_stop,
}
"""In the order of the help."""


def adding(command: str | None) -> Iterable[Callable[[Subparsers], None]]:
    """What adds the arguments of a command, or of all where it is none of them: making them takes time."""
    adds = _COMMANDS.get(command or "")
    return dict.fromkeys(_COMMANDS.values()) if adds is None else (adds,)
