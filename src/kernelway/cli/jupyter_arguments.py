"""The arguments of ``jupyter`` and ``lab``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_JUPYTER = """\
Show the kernels of all saved gateways in JupyterLab, Notebook 7 and nbclassic,
beside the local ones. It is an extension of jupyter_server: `jupyter server
extension list` shows it too.
Without a command its status is shown.
"""

_WHERE = """\
With neither --user nor --sys-prefix it is this Python environment's where this
is a virtual environment, and this user's otherwise.
"""

_LAB = """\
Start JupyterLab with the kernels of all saved gateways beside the local ones,
for this run only: nothing is enabled, and nothing is left behind.
"""

_LAB_EPILOG = """\
All arguments are handed on to JupyterLab: `jupyter lab --help` tells them.

examples:
  kernelway lab
  kernelway lab --no-browser --port 9999 ~/notebooks
  KERNELWAY_ONLY_REMOTE=1 kernelway lab
      Without the kernels of this machine.
  kernelway lab --gateway-url http://gpu:8888
      With those of a gateway that is not saved.

`kernelway gateways` lists the saved gateways, and `kernelway jupyter enable`
has every notebook server show them.
"""


def add_jupyter(commands: Subparsers) -> None:
    """``jupyter`` and its own commands."""
    jupyter = commands.add_parser(
        "jupyter",
        help="show the kernels of gateways in JupyterLab and Notebook",
        description=_JUPYTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    jupyter.add_argument("--json", action="store_true", help="Write the status as JSON.")
    jupyter.set_defaults(command=_status)
    own = jupyter.add_subparsers(title="commands", metavar="COMMAND")
    for name, help_ in (("enable", "from the next start of a notebook server on"), ("disable", "no longer")):
        turn = own.add_parser(
            name, help=help_, description=_WHERE, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        level = turn.add_mutually_exclusive_group()
        level.add_argument("--user", dest="level", action="store_const", const="user", help="For this user.")
        level.add_argument(
            "--sys-prefix",
            dest="level",
            action="store_const",
            const="sys-prefix",
            help="For this Python environment.",
        )
        turn.set_defaults(command=_turn, on=name == "enable", talks=False)
    status = own.add_parser("status", help="whether it is on, and what it finds")
    # A default here would undo what was said before the word `status`.
    status.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="Write JSON.")
    status.set_defaults(command=_status)


def add_lab(commands: Subparsers) -> None:
    """``lab``, whose arguments are JupyterLab's."""
    lab = commands.add_parser(
        "lab",
        help="start JupyterLab with the kernels of gateways, this once",
        usage="kernelway lab [ARGUMENT ...]",
        description=_LAB,
        epilog=_LAB_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        # So that argparse takes none of JupyterLab's own for one of ours.
        prefix_chars="\0",
    )
    lab.add_argument("arguments", metavar="ARGUMENT", nargs="*", help="As of `jupyter lab`.")
    lab.set_defaults(command=_lab, talks=False, help=lab.format_help)


def _status(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.jupyter import status

    return status(as_json=given.json, environ=environ)


def _turn(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    del environ
    from kernelway.cli.jupyter import turn

    return turn(on=given.on, level=given.level)


def _lab(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.lab import lab

    if given.arguments[:1] in (["--help"], ["-h"]):
        print(given.help())
        return 0
    return lab(given.arguments, environ)
