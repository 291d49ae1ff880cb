"""What runs inside an ipykernel that waits, in the kernel's own Python (3.9 or later). It goes there as text.

It may import nothing that a kernel has not imported anyway, and leaves nothing behind: a kernel that waited
must not be told from one that was just started.
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ipykernel.kernelapp import IPKernelApp
from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.history import HistoryManager

_OWN = (
    "code_to_run",
    "exec_files",
    "exec_lines",
    "extensions",
    "extra_extensions",
    "file_to_run",
    "gui",
    "loaded_config_files",
    "matplotlib",
    "module_to_run",
    "pylab",
)
"""What an IPython application has only where somebody configured it."""


class Waiting:
    """The kernel, for as long as it waits. Nobody but its table of requests holds this.

    A request of its own, since an execute_request takes an ipykernel twice as long.
    """

    REQUEST = "kernelway_become_request"

    def __init__(self) -> None:
        self.app = IPKernelApp.instance()
        self.folder = Path.cwd()
        places = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
        self.stamps = {place: _stamp(Path(place)) for place in (sys.executable, *places)}
        assert self.app.shell is not None
        self.shell = self.app.shell
        self.kernel = self.app.kernel
        _forget_session(self.shell.history_manager)
        self.kernel.shell_handlers[self.REQUEST] = self.answer

    def is_plain(self) -> bool:
        """Whether nothing ran at the start that could have seen the folder and the environment."""
        assert self.app.profile_dir is not None
        shared = [Path(folder, "startup") for folder in (*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS)]
        return not (
            any(getattr(self.app, name, None) for name in _OWN)
            or (self.app.exec_PYTHONSTARTUP and os.environ.get("PYTHONSTARTUP"))
            or any(map(_has_programs, [Path(self.app.profile_dir.startup_dir), *shared]))
            or self._is_configured()
            or any(self._is_of_here(module) for module in list(sys.modules.values()))
        )

    def _is_configured(self) -> bool:
        # The application names only those that set something; a file may do more than that.
        stems = {"ipython_config", *(Path(name).stem for name in self.app.config_files)}
        names = [stem + suffix for stem in stems for suffix in (".py", ".json")]
        return any(Path(folder, name).exists() for folder in self.app.config_file_paths for name in names)

    def _is_of_here(self, module: ModuleType) -> bool:
        text = getattr(module, "__file__", None)
        if not isinstance(text, str):
            return False
        file = Path(text)
        return self.folder == (file.parent.parent if file.stem == "__init__" else file.parent)

    def answer(self, stream: object, identity: object, request: dict[str, dict[str, str]]) -> None:
        """Take the request and reply to it, as an ipykernel's own do."""
        del self.kernel.shell_handlers[self.REQUEST]
        reply = {"status": "ok"}
        try:
            # As text, since a path or a variable may hold what JSON does not.
            self.become(*ast.literal_eval(request["content"]["given"]))
        except Exception as error:  # noqa: BLE001
            # Whatever it is, the host has to hear of it; it starts another kernel.
            reply = {"status": "error", "ename": type(error).__name__, "evalue": str(error)}
        self.kernel.session.send(stream, "kernelway_become_reply", reply, request, ident=identity)

    def become(self, folder: str, env: Mapping[str, str]) -> None:
        """Be a kernel that is started now, there, with these variables more than it has."""
        if any(_stamp(Path(place)) != stamp for place, stamp in self.stamps.items()):
            raise RuntimeError("its interpreter or its packages have changed")
        os.environ.update(env)
        os.chdir(folder)
        _forget_folder(str(self.folder))
        here = Path.cwd()
        shell, history = self.shell, self.shell.history_manager
        shell.starting_dir = str(here)
        history.dir_hist[:] = [type(before)(here) for before in history.dir_hist]
        history.new_session()
        session = env.get("JPY_SESSION_NAME")
        if session:
            shell.user_ns["__session__"] = session
            if self.app.hide_initial_ns:
                shell.user_ns_hidden["__session__"] = session


def _stamp(place: Path) -> tuple[int, int, int] | None:
    """What tells one state of a file or folder from another."""
    try:
        found = place.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _has_programs(folder: Path) -> bool:
    return any(file.suffix in (".py", ".ipy") for file in (folder.iterdir() if folder.is_dir() else ()))


def _forget_session(history: HistoryManager) -> None:
    """Give back the number of its session: nobody's kernel must not stand between two of somebody's."""
    number = history.session_number
    if not history.enabled or not number:
        return
    with history.db as database:
        database.execute("DELETE FROM sessions WHERE session = ?", (number,))
        database.execute(
            "UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'sessions' AND seq = ?", (number,)
        )


def _forget_folder(folder: str) -> None:
    """Let imports look at the disk again; importlib's function for it would import what no kernel has yet."""
    sys.path_importer_cache.pop(folder, None)
    for place, finder in list(sys.path_importer_cache.items()):
        if finder is None:
            del sys.path_importer_cache[place]
        elif hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()
