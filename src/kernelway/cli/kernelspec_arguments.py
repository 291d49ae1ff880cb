"""The arguments of ``kernelspec``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_KERNELSPEC = """\
Kernelspecs on this machine whose kernels run on a gateway. Whatever starts
kernels by a kernelspec can use them, and needs to know nothing of gateways:
papermill, nbconvert, jupyter console, qtconsole, Spyder, VS Code.
Without a command they are listed.
"""

_INSTALL = """\
Install a kernelspec whose kernels run on a gateway. The gateway is asked for
its name, language and logo, so it has to answer.
"""

_INSTALL_EPILOG = """\
examples:
  kernelway kernelspec install --on gpu-box
      The default kernel of gpu-box, as python3.gpu-box: shown, for example,
      as "Python 3 (ipykernel) · gpu-box".
  kernelway kernelspec install --on gpu-box --all
      Every kernelspec that gpu-box has.
  kernelway kernelspec install --on gpu-box --kernel ir --name r-on-the-gpu
  kernelway kernelspec install --on gpu-box --sys-prefix
      For clients of this Python environment alone.

and then
  jupyter console --kernel python3.gpu-box
  papermill in.ipynb out.ipynb -k python3.gpu-box
  jupyter nbconvert --execute --to html report.ipynb \\
      --ExecutePreprocessor.kernel_name=python3.gpu-box

when a kernel ends:
  When its client shuts it down, as every client does with a local kernel. A
  client that is killed, or whose machine is switched off, leaves its kernel;
  the gateway ends it when nobody has been connected to it for --lease seconds,
  unless somebody else joined it meanwhile.

Installing it again brings it up to date. A kernelspec that was installed by
others is never replaced.
"""

_REMOVE_EPILOG = """\
examples:
  kernelway kernelspec remove python3.gpu-box
  kernelway kernelspec remove python3.gpu-box ir.gpu-box
"""


def add_kernelspec(commands: Subparsers) -> None:
    """``kernelspec`` and its own commands."""
    kernelspec = commands.add_parser(
        "kernelspec",
        help="make kernels of gateways known to every Jupyter client here",
        description=_KERNELSPEC,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kernelspec.add_argument("--json", action="store_true", help="Write the list as JSON.")
    kernelspec.set_defaults(command=_list, talks=False)
    own = kernelspec.add_subparsers(title="commands", metavar="COMMAND")
    _add_install(own)
    listing = own.add_parser("list", help="list those that are installed")
    # A default here would undo what was said before the word `list`.
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="Write JSON.")
    listing.set_defaults(command=_list, talks=False)
    remove = own.add_parser(
        "remove",
        help="remove some; what runs goes on",
        description="Remove kernelspecs that `kernelway kernelspec install` installed, and no others.",
        epilog=_REMOVE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    remove.add_argument("names", metavar="NAME", nargs="+", help="As `kernelway kernelspec list` shows it.")
    remove.set_defaults(command=_remove, talks=False)


def _add_install(own: Subparsers) -> None:
    install = own.add_parser(
        "install",
        help="install one, or all of a gateway",
        description=_INSTALL,
        epilog=_INSTALL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    install.add_argument("--on", metavar="NAME", required=True, help="The gateway: a saved one, or `local`.")
    which = install.add_mutually_exclusive_group()
    which.add_argument("--kernel", metavar="SPEC", help="Its kernelspec, by default its default one.")
    which.add_argument("--all", action="store_true", help="All of its kernelspecs.")
    install.add_argument("--name", metavar="NAME", help="What to call it here [SPEC.GATEWAY]")
    install.add_argument("--display-name", metavar="TEXT", help="What people are shown [… · GATEWAY]")
    install.add_argument(
        "--lease",
        metavar="S",
        type=_seconds,
        help="How long a kernel may be without a client, in seconds; 0 is for ever [600]",
    )
    where = install.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="For this user, which is the default.")
    where.add_argument("--sys-prefix", action="store_true", help="For this Python environment.")
    where.add_argument("--prefix", metavar="DIR", type=Path, help="Below DIR/share/jupyter/kernels.")
    install.set_defaults(command=_install, talks=True)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _install(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.kernelspec import Wanted, install
    from kernelway.protocol.errors import InvalidRequest

    if given.all and (given.name or given.display_name):
        raise InvalidRequest(
            "--all installs several kernelspecs, which cannot all have one name: leave --name and "
            "--display-name out."
        )
    wanted = Wanted(
        on=given.on,
        kernel=given.kernel,
        every=given.all,
        name=given.name,
        display_name=given.display_name,
        lease=given.lease,
        prefix=Path(sys.prefix) if given.sys_prefix else given.prefix,
    )
    return install(wanted, environ=environ)


def _list(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.kernelspec import list_installed

    return list_installed(as_json=given.json, environ=environ)


def _remove(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.kernelspec import remove

    return remove(given.names)
