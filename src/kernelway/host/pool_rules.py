"""Which kernels may wait in the pool, and which requests one of them serves exactly.

A kernel that waits has started already. So a variable can still be given to it only where nothing has read
it: not the C library, not the interpreter, not what a fresh ipykernel imports. What is asked otherwise is
started as it was asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec

from kernelway.host.fork_rules import MODULES

SESSION_NAME = "JPY_SESSION_NAME"
"""What Jupyter's interfaces send with every kernel of a notebook. An ipykernel reads it once, into one name,
which can be given later."""

_READ_AT_START = re.compile(
    r"""
    # The loader, the C library, the threads of numeric libraries
    LD_.* | GLIBC_.* | MALLOC_.* | GCONV_PATH | NLSPATH | LOCPATH | RES_OPTIONS | LOCALDOMAIN | HOSTALIASES
    | LANG | LANGUAGE | LC_.* | TZ | TZDIR
    | .*_NUM_THREADS | .*_MAX_THREADS | OMP_.* | KMP_.* | MKL_.* | OPENBLAS_.* | BLIS_.* | GOTO_.* | VECLIB_.*
    | NUMEXPR_.* | NUMBA_.* | NPY_.*
    # The interpreter and its standard library; which interpreter and whose packages
    | _.* | PYTHON.* | PYENV_.* | PIPENV_.* | VIRTUAL_ENV.* | CONDA.* | MAMBA.* | PIXI_.*
    | PATH | HOME | USER | LOGNAME | LNAME | USERNAME | SHELL | PWD | OLDPWD | TMPDIR | TEMP | TMP | XDG_.*
    | SSL_.* | OPENSSL_.* | SQLITE_.* | COVERAGE_.* | COV_.*
    # Terminals and colours
    | TERM.* | COLUMNS | LINES | COLORTERM | NO_COLOR | FORCE_COLOR | CLICOLOR.*
    | EDITOR | VISUAL | PAGER | LESS | DISPLAY
    # Jupyter's and IPython's parts
    | IPYTHON.* | IPYKERNEL.* | IPY_.* | JUPYTER.* | JPY_.* | TRAITLETS_.* | TORNADO_.* | ZMQ_.* | PYZMQ_.*
    | MPL.* | MATPLOTLIB.* | QT_.* | DEBUGPY.* | PYDEVD.* | IN_SPHINX_RUN | SOURCE_DATE_EPOCH | COMP_.*
    | PYTEST_.* | KITTY_.* | PYDEV.* | DEBUG_PYDEVD.* | PYCHARM_.* | GEVENT_.* | PATHS_FROM_ECLIPSE_TO_PYTHON
    | ANDROID_.*
    # Kernelway's own
    | KERNELWAY_.*
    """,
    re.VERBOSE,
)
"""Names with an effect when a kernel starts. Rather too many than one too few: a fresh start is right too."""

_ORDINARY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Started:
    """What a kernel that waits was started with."""

    spec: KernelSpec
    cwd: Path
    environ: Mapping[str, str]
    """Before what its kernelspec adds."""
    is_plain: bool
    """Whether nothing of the user's ran when it started: a startup file may have read anything."""
    preloaded: Sequence[str] = ()
    """Modules that it has beyond what a kernel imports."""
    reads: Collection[str] = ()
    """Variables that were looked up while its modules were imported, as far as that is known."""


def may_wait(spec: KernelSpec) -> bool:
    """Whether kernels of this kernelspec are pooled: those whose command is a plain launch of ipykernel."""
    argv = list(spec.argv)
    named = spec.metadata.get("kernel_provisioner")
    if named and not (isinstance(named, dict) and named.get("provisioner_name") == "local-provisioner"):
        return False
    return "-m" in argv[1:-1] and argv[argv.index("-m") + 1] in MODULES


def changes(started: Started, env: Mapping[str, str]) -> dict[str, str]:
    """The variables of a request that the kernel has not, or otherwise."""
    return {name: value for name, value in env.items() if started.environ.get(name) != value}


def obstacle(started: Started, cwd: Path, changed: Mapping[str, str]) -> str | None:
    """Why the kernel that waits cannot become the one that is asked for, as a sentence; None where it can.

    No value is repeated in it.
    """
    if not started.is_plain and (changed or cwd != started.cwd):
        return "What its profile runs at its start may depend on the folder or on the variables."
    for name in changed:
        if name != SESSION_NAME and (name in started.reads or acts_at_start(name, started.preloaded)):
            return f"The variable {name} acts when a kernel starts."
        if _names(started.spec, name):
            return f"The kernelspec names the variable {name} itself."
    return None


def acts_at_start(name: str, preloaded: Sequence[str] = ()) -> bool:
    """Whether something may have read the variable when a kernel has started."""
    if _READ_AT_START.fullmatch(name) or not _ORDINARY.fullmatch(name):
        return True
    packages = {module.partition(".")[0].upper() for module in preloaded}
    return any(name.upper().startswith(package) for package in packages)


def _names(spec: KernelSpec, name: str) -> bool:
    # What a kernelspec sets wins over a request; what it mentions, as in ${MINE}, was filled in at the start.
    mentions = re.compile(rf"\$(?:{name}(?![A-Za-z0-9_])|\{{{name}\}})")
    texts = [*spec.argv, *map(str, spec.env.values())]
    return name in spec.env or any(mentions.search(text) for text in texts)
