"""The arguments of ``run`` and ``exec``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kernelway.cli.showing import Command

    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_RUN = """\
Run a file, or a part of it, statement by statement, and show each result
beside its line. It stops at the first statement that fails.

Python is read as Python; of other languages, blocks by their indentation.
Cells begin at `# %%`. Of a Markdown file the fenced blocks run.
"""

_RUN_EPILOG = """\
examples:
  kernelway run analysis.py                  the whole file
  kernelway run analysis.py:12               the statement on line 12
  kernelway run analysis.py:12-20            these lines
  kernelway run analysis.py --cell 3         the third cell
  kernelway run analysis.py --on gpu         on a gateway
  kernelway run model.py --session train     in a session that lasts
  kernelway run model.py --detach            start it there, and go

where the code runs:
  Without --on and --session on a kernel of the command's own, which ends with
  it and works in the current folder, as `python FILE` does. With --on in the
  file's own session on that gateway: joined or made, it goes on afterwards,
  and works where the gateway says unless --cwd names a folder there. With
  --session in the session of that name or id, on the gateway of this machine
  (`local`) unless --on names another; where there is none, it is made.

  --detach hands the code over and returns. The code goes on without this
  terminal, in the file's own session on the gateway of this machine unless
  --session or --on say where. After a statement that fails the rest is not run;
  for up to two seconds it waits for that, and tells of it itself.
  `input()` is an error there: nobody could answer, not even who attaches later.
  `kernelway attach` and `kernelway log` show what comes of it. With --json it
  writes one object: {"gateway", "session", "kernel", "statements", "kept"}.

when the connection breaks:
  It is tried for again for as long as you wait, and the code goes on meanwhile;
  what it printed comes when the link is back. Ctrl-C twice leaves.

exit status:
  0, or 1 when the code raised, or 130 when Ctrl-C ended it. Ctrl-C once
  interrupts the code; twice leaves.
"""

_JSON = """\

--json writes one object a line; for each statement
  {"event": "start", "first_line", "last_line", "code"}
  {"event": "output", "type", ...}     any number; the type is stream, display,
                                       result, error, clear or update, and the
                                       fields are those of Jupyter's message; or
                                       it is lost: how many messages, and why
  {"event": "reply", "status", "execution_count"}
and after all of them
  {"event": "end", "status", "ran", "not_run"}     ok, error or interrupted
"""

_EXEC_EPILOG = """\
examples:
  kernelway exec 'import sys; sys.version'
  kernelway exec 'model.score(test)' --session train
  kernelway exec - --on gpu < setup.py

Without --session the kernel is the command's own, and ends with it.
"""


def add_run(commands: Subparsers) -> None:
    """``run``."""
    run = commands.add_parser(
        "run",
        help="run a file, or lines or a cell of it",
        description=_RUN,
        epilog=_RUN_EPILOG + _JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("file", metavar="FILE[:LINE | :FROM-TO]", help="What to run; lines count from 1.")
    run.add_argument("--detach", action="store_true", help="Hand it over and return at once.")
    run.add_argument("--cell", type=int, metavar="N", help="Run the Nth cell, from 1.")
    session = run.add_mutually_exclusive_group()
    session.add_argument("--session", metavar="NAME_OR_ID", help="Join this session, or make it.")
    session.add_argument("--new", action="store_true", help="Make another session, even if the file has one.")
    _add_where(run)
    run.set_defaults(command=_run)


def add_exec(commands: Subparsers) -> None:
    """``exec``."""
    execute = commands.add_parser(
        "exec",
        help="run code from the command line",
        description="Run code that is given on the command line, and print what it shows.",
        epilog=_EXEC_EPILOG + _JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    execute.add_argument("code", metavar="CODE", help="The code; - reads it from stdin.")
    execute.add_argument("--session", metavar="NAME_OR_ID", help="Join this session, or make it.")
    _add_where(execute)
    execute.set_defaults(command=_exec, new=False)


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--on", metavar="NAME", help="The gateway: a saved one, or `local`.")
    parser.add_argument(
        "--kernel",
        metavar="SPEC",
        help="The kernelspec, instead of the first of the file's language; python3.gpu is python3 on gpu.",
    )
    parser.add_argument("--cwd", metavar="DIR", help="The folder a new kernel works in, on its machine.")
    parser.add_argument(
        "--env",
        metavar="K[=V]",
        action="append",
        default=[],
        help="A variable for a new kernel; K alone takes the value it has here. May be repeated.",
    )
    parser.add_argument("--json", action="store_true", help="Write events as JSON, one a line.")


def _command(given: argparse.Namespace, environ: Mapping[str, str]) -> Command:
    from kernelway.cli.opening import Order, environment_from
    from kernelway.cli.showing import Command

    order = Order(
        on=given.on,
        kernel=given.kernel,
        session=given.session,
        new=given.new,
        cwd=given.cwd,
        env=environment_from(given.env, environ),
    )
    return Command(order=order, as_json=given.json, environ=environ)


def _run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.picking import wanted

    if given.detach:
        from kernelway.cli.detach import detach_file

        return detach_file(_command(given, environ), wanted(given.file, cell=given.cell))
    from kernelway.cli.run import run_file

    return run_file(_command(given, environ), wanted(given.file, cell=given.cell))


def _exec(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.execute import run_code

    return run_code(_command(given, environ), given.code)
