"""The arguments of ``bridge``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_LEASE = 600.0

_BRIDGE = """\
Let clients that know ZeroMQ and connection files alone (jupyter console,
nbclient, papermill, qtconsole, Spyder, editors) use a kernel of a gateway.
"""

_EPILOG = """\
examples:
  kernelway bridge train.py            a connection file for a running session
  kernelway bridge --on gpu --kernel python3 -f {connection_file}
                                       in a kernelspec's argv

With SESSION it makes a connection file, says how to use it, and goes on until
Ctrl-C; the session goes on afterwards.

Without SESSION it starts a kernel for the client that starts it, as the command
of a kernelspec does (`"interrupt_mode": "message"`). When that client shuts the
kernel down or restarts it, the kernel ends. A bridge that is killed, or whose
client is, leaves it: it ends when nobody has been connected to it for --lease
seconds, unless it has been opened elsewhere. Ctrl-C is the client's affair, and
does nothing here; SIGTERM ends the bridge.

A connection that breaks is tried for again, and nothing is lost; stderr tells.

exit status:
  0 when the client shut the kernel down or Ctrl-C ended the bridge of a
  session, 1 when the kernel ended in any other way, 143 after SIGTERM.
"""


def add_bridge(commands: Subparsers) -> None:
    """``bridge``."""
    bridge = commands.add_parser(
        "bridge",
        help="offer a kernel to clients that know ZeroMQ alone",
        description=_BRIDGE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bridge.add_argument(
        "session",
        # Behind a kernelspec's command clients put what they were given, as `jupyter run` its files' names.
        nargs="*",
        metavar="SESSION",
        help="A session's name, path or id, or its kernel's id, or the beginning of an id.",
    )
    bridge.add_argument("--on", metavar="NAME", help="The gateway: a saved one, or `local`.")
    bridge.add_argument("--kernel", metavar="SPEC", help="The kernelspec to start, without SESSION.")
    bridge.add_argument(
        "-f",
        dest="file",
        type=Path,
        metavar="FILE",
        help="The connection file; what it does not say yet is written into it.",
    )
    bridge.add_argument("--cwd", metavar="DIR", help="The folder a new kernel works in, on its machine.")
    bridge.add_argument(
        "--env",
        metavar="K[=V]",
        action="append",
        default=[],
        help="A variable for a new kernel; K alone takes the value it has here. May be repeated.",
    )
    bridge.add_argument(
        "--lease",
        type=float,
        default=_LEASE,
        metavar="SECONDS",
        help="How long a new kernel may be without a client; 0 is for ever. [%(default)g]",
    )
    # The sockets are bound before anything slow is loaded.
    bridge.set_defaults(command=_bridge, talks=False, parser=bridge)


def _bridge(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.bridge import bridge_session, bridge_start

    if given.kernel and given.file:
        return bridge_start(given, environ)
    if len(given.session) > 1:
        given.parser.error("one SESSION at a time")
    if given.session and (given.kernel or given.cwd or given.env):
        given.parser.error("--kernel, --cwd and --env are for a new kernel, and SESSION runs already")
    if given.session:
        return bridge_session(given.session[0], on=given.on, file=given.file, environ=environ)
    if given.file is None:
        given.parser.error("say which SESSION, or -f with the connection file of a new kernel")
    return bridge_start(given, environ)
