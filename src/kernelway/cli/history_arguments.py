"""The arguments of ``attach`` and ``log``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_ATTACH = """\
Show what a session has run and what came of it, as `run` does, and then what
comes from now on, whoever runs it. Ctrl-C leaves; the kernel goes on.
"""

_ATTACH_EPILOG = """\
examples:
  kernelway run --detach train.py        start it, and go
  kernelway attach train.py              look at it, from anywhere
  kernelway attach train.py --since 10m  only what came in the last ten minutes

What was printed while nobody was attached is there, too: a kernelway keeps
what its kernels say, and what they were asked. Other servers keep nothing;
of them you see what comes from now on. Of a session that has ended you see
what is kept, and when and why it ended.

exit status:
  0, or 1 when the kernel died or was ended while it ran code, or 130 when
  Ctrl-C ended the command.
"""

_LOG = """\
Write what a session's kernel was asked and what it has said: a line for each
piece of code, with its time and its place, and its outputs below. The session
may have ended: its log is kept for a day, unless its server says otherwise.
"""

_LOG_EPILOG = """\
examples:
  kernelway log train.py                       everything that is kept
  kernelway log train.py --since 2h | less     the last two hours
  kernelway log train.py --since yesterday
  kernelway log train.py --since 2026-11-20T10:00
  kernelway log 3f9a --follow                  go on until the kernel ends
  kernelway log train.py --json | jq 'select(.type == "error") | .content.ename'

Several sessions that have ended may have had one name: it means the latest of
them, and `kernelway sessions` lists the ids of all.

--json writes one object a line, for every message of the kernel on iopub and
every request that it was sent
  {"position", "time", "type", "request", "channel", "id", "session", "parent",
   "metadata", "content", "buffers"}
`type` and `content` are Jupyter's; `request` says who spoke, `parent` is the id
of the request that it belongs to, and `buffers` are sizes. Where messages are
no longer kept it writes
  {"position", "type": "hole", "messages", "reason"}
Times are those of whoever sent the message, and so is what --since goes by.
"""


def add_attach(commands: Subparsers) -> None:
    """``attach``."""
    attach = commands.add_parser(
        "attach",
        help="see what a session has shown, and follow it",
        description=_ATTACH,
        epilog=_ATTACH_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_which(attach)
    attach.set_defaults(command=_attach)


def add_log(commands: Subparsers) -> None:
    """``log``."""
    log = commands.add_parser(
        "log",
        help="read what a kernel has said, even once it has ended",
        description=_LOG,
        epilog=_LOG_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_which(log)
    log.add_argument("--follow", "-f", action="store_true", help="Go on with what comes.")
    log.add_argument("--json", action="store_true", help="Write messages as JSON, one a line.")
    log.set_defaults(command=_log)


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "session",
        metavar="SESSION",
        help="A session's name, path or id, or its kernel's id, or the beginning of an id.",
    )
    parser.add_argument("--on", metavar="NAME", help="Look on this gateway only.")
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="Only what came after that: 10m, 2h, 3d, 2026-11-20, 2026-11-20T10:00, yesterday.",
    )


def _attach(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.attach import Attachment, attach

    return attach(Attachment(wanted=given.session, on=given.on, since=given.since, environ=environ))


def _log(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from kernelway.cli.log import Reading, read_log

    return read_log(
        Reading(
            wanted=given.session,
            on=given.on,
            since=given.since,
            as_json=given.json,
            follow=given.follow,
            environ=environ,
        )
    )
