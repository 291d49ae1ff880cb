"""The ``kernelway`` command: what it takes, and which module does it.

Modules that do the work are imported when they are needed, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from kernelway import __version__
from kernelway.cli.sentences import say
from kernelway.protocol.errors import KernelwayError
from kernelway.settings import environment

Command: TypeAlias = Callable[[argparse.Namespace, Mapping[str, str]], int]

FAILED = 1
"""The exit status for what could not be done; argparse's own for a wrong command line is 2."""

INTERRUPTED = 130
"""The exit status of what a Ctrl-C ended, as in shells."""

_EPILOG = """\
examples:
  kernelway run analysis.py                   a file, results beside its lines
  kernelway gateways add gpu http://gpu:8888  remember a gateway
  kernelway run analysis.py --on gpu          run the file there
  kernelway run train.py --detach --on gpu    start it, close the lid, and
  kernelway attach train.py                   come back to it
  kernelway serve                             let others run code here
"""


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The whole command line; where a command is named, without the arguments of the others."""
    from kernelway.cli import arguments

    top = argparse.ArgumentParser(
        prog="kernelway",
        description="Run code on Jupyter kernels anywhere as if they were local.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.set_defaults(talks=True)
    top.add_argument("-V", "--version", action="version", version=f"kernelway {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in arguments.adding(command):
        add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Without ``arguments`` it is that of this process, which ends then."""
    if arguments is not None:
        return _run(arguments)
    # Modules are no garbage; run_loop takes up the search for it once they are loaded.
    gc.disable()
    try:
        return _run(sys.argv[1:])
    finally:
        # The interpreter would look for cycles in all that was loaded before it ends, which takes longer than
        # many a command; the operating system takes everything back in any case.
        gc.freeze()


def _run(arguments: Sequence[str]) -> int:
    given = parser(arguments[0] if arguments else None).parse_args(arguments)
    command: Command = given.command
    if given.talks:
        from kernelway.transport.loading import load_aiohttp

        # Before a module of the command imports it.
        load_aiohttp()
    try:
        return command(given, environment())
    except KernelwayError as error:
        say(f"kernelway: {error}")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough, as with `| head`. The interpreter would write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def serve_main() -> int:
    """``jupyter kernelway``: the same as ``kernelway serve``."""
    return main(["serve", *sys.argv[1:]])
