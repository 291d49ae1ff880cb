"""Which kernels may be forked: those that cannot be told from one that was started by command.

Pure. What stands against forking is told as a reason, a phrase that goes on from "is started by command,
since".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

MODULES = frozenset({"ipykernel_launcher", "ipykernel"})
"""Run by ``python -m``, each is a plain launch of ipykernel."""

_FLAGS = frozenset({"-B", "-E", "-I", "-O", "-OO", "-P", "-s"})
"""Flags of the interpreter that act the same in a process that forks later."""

_FROZEN_MODULES = re.compile(r"frozen_modules(=(on|off))?")

_ACTING = re.compile(
    r"""
      PYTHON.* | LD_.* | MALLOC_.* | GLIBC_TUNABLES | .*_NUM_THREADS
    | (OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|NUMEXPR)_.*
    | LANG | LANGUAGE | LC_.* | LOCPATH | NLSPATH | TZ | TZDIR
    """,
    re.VERBOSE,
)
"""What the interpreter or a C library reads when it starts."""

_OWN = frozenset({"JPY_PARENT_PID", "KERNELWAY_KERNEL_ID", "PATH"})
"""What is put right in each kernel; and PATH, which imports look up only to find ``uname``."""


class Unforkable(Exception):
    """Why a kernel is started by command."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python and its flags: what kernels have in common that one process can fork."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.argv)


def interpreter_of(argv: Sequence[str]) -> Interpreter:
    """Whose kernel a command starts; :class:`Unforkable` where that is no plain launch of ipykernel."""
    if not argv or not argv[0].startswith("/"):
        raise Unforkable("its command does not begin with the path of a Python")
    after = _after_flags(argv)
    if list(argv[after : after + 1]) != ["-m"] or not MODULES & {*argv[after + 1 : after + 2]}:
        raise Unforkable("its command is not a plain launch of ipykernel")
    return Interpreter(tuple(argv[:after]))


def _after_flags(argv: Sequence[str]) -> int:
    """The index behind the interpreter's flags."""
    at = 1
    while at < len(argv) and argv[at] != "-m":
        flag, value = argv[at], ""
        if flag == "-X":
            at += 1
            value = "".join(argv[at : at + 1])
        elif flag.startswith("-X"):
            value = flag[2:]
        if not (_FROZEN_MODULES.fullmatch(value) if value else flag in _FLAGS):
            raise Unforkable(f"its command has {flag + ' ' + value if flag == '-X' else flag}")
        at += 1
    return at


def acting(variables: Iterable[str]) -> list[str]:
    """Those of the variables that act when an interpreter starts."""
    return sorted(name for name in variables if _ACTING.fullmatch(name))


def check_variables(ours: Mapping[str, str], theirs: Mapping[str, str], reads: Collection[str]) -> None:
    """:class:`Unforkable` where a variable differs that was read before a kernel is forked.

    ``ours`` is what the fork server was started with, ``theirs`` what a kernel is to have; ``reads`` are the
    variables that the server's imports looked up.
    """
    names = {*ours, *theirs} - _OWN
    changed = {name for name in names if ours.get(name) != theirs.get(name)}
    differing = sorted({*acting(changed), *changed.intersection(reads)})
    if differing:
        raise Unforkable(f"it has its own {', '.join(differing)}, read when a Python or its modules start")
