"""The process that forks the kernels of one Python environment.

Run by path on the kernelspec's own Python, 3.9 or later, with the standard library only: ``PYTHON [FLAGS]
fork_server_process.py DESCRIPTOR MODULES ROOM``. The descriptor is one end of a Unix socket that keeps
messages apart (``SOCK_SEQPACKET``). The other end only the host holds, so the socket's end is the host's end.
Each message is a JSON object:

- first, to the host: ``{"ready": {"reads": [...], "failed": {...}}}``, the variables that were looked up
  while everything was imported, and those of MODULES that could not be; or ``{"refused": "threads", "module":
  NAME}`` before this ends, since that module (or, with no name, none of MODULES) started threads;
- from the host: ``{"ask": N, "argv": [...], "env": {...}, "cwd": "...", "mark": "NAME=value"}`` with three
  descriptors: stdout, stderr, and a pipe on which comes the word to go on. Where that ends without the
  word, nobody has heard of the kernel, and it ends before it has begun;
- to the host: ``{"ask": N, "pid": PID}`` with a pidfd, ``{"ask": N, "stale": PATH}`` where the environment
  has changed, or ``{"ask": N, "failed": REASON}``;
- to the host, for each kernel that ended: ``{"exited": PID, "status": NUMBER}``, negative for a signal.

It imports what a kernel has in ``sys.modules`` once it is up, and no more, so that user code sees the same
modules either way. There is one thread, always. Whatever else differs between this process and one that was
started for the kernel is put right in the child, by :func:`become`. Then all frames of this file but the
lowest are left, and the kernel runs as ``python -m`` runs it.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.machinery
import json
import os
import re
import runpy
import select
import socket
import struct
import sys
import time
import types
from collections.abc import Iterator, Mapping, Sequence

KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "ipykernel.comm",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "tornado.platform.asyncio",
    "tornado.locks",
    "tornado.queues",
    "sqlite3",
    "faulthandler",
)
"""What an ipykernel imports while it starts, much of it inside of functions. Only the first is a must."""

MOST_BYTES = 1 << 20
"""Of one message; the system's own limit is lower in most places."""

STATE = struct.Struct("=qqQ")
"""A file's time of modification in nanoseconds, its size, and its inode."""

PR_SET_MM = 35
PR_SET_MM_MAP = 14


class Child:
    """What a forked process has to become; made before the fork, used after it."""

    def __init__(self, request: Mapping[str, object], descriptors: Sequence[int]) -> None:
        self.argv = [str(word) for word in listed(request["argv"])]
        self.environ = {str(name): str(value) for name, value in mapped(request["env"]).items()}
        self.mark = str(request["mark"])
        self.stdout, self.stderr, self.go = descriptors
        # What stands before that are the interpreter's flags, which are this process's own.
        at = self.argv.index("-m")
        self.module, self.arguments = self.argv[at + 1], self.argv[at + 2 :]


class Server:
    """One socket, and the kernels that were forked."""

    def __init__(self, channel: socket.socket, watch: Watch) -> None:
        self.channel = channel
        self.watch = watch
        self.children: dict[int, int] = {}
        """The pid of each, by its pidfd."""

    def serve(self) -> Child:
        """Answer until the host's end, which ends the process; in a child, return what it has to become."""
        poller = select.poll()
        poller.register(self.channel, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll():
                if descriptor in self.children:
                    poller.unregister(descriptor)
                    self.reap(descriptor)
                    continue
                message, descriptors, _, _ = socket.recv_fds(self.channel, MOST_BYTES, 3)
                if not message:
                    os._exit(0)
                child = self.answer(json.loads(message), descriptors)
                if child is not None:
                    return child
                for pidfd in self.children:
                    poller.register(pidfd, select.POLLIN)

    def answer(self, request: Mapping[str, object], descriptors: Sequence[int]) -> Child | None:
        """Fork, and tell the host; None in this process."""
        told: dict[str, object] = {"ask": request["ask"]}
        pidfds = []
        try:
            child = Child(request, descriptors)
            os.chdir(str(request["cwd"]))
            pid = os.fork()
            if pid == 0:
                return child
            pidfds.append(os.pidfd_open(pid))
            self.children[pidfds[0]] = pid
            # While the child becomes a kernel; where this is stale, the word to go on never comes.
            changed = self.watch.changed()
            told.update({"pid": pid} if changed is None else {"stale": changed})
        except (OSError, LookupError, TypeError, ValueError) as error:
            told["failed"] = str(error)
        for descriptor in descriptors:
            os.close(descriptor)
        os.chdir(os.sep)
        tell(self.channel, told, pidfds if "pid" in told else ())
        return None

    def reap(self, pidfd: int) -> None:
        """Tell how a kernel ended."""
        pid = self.children.pop(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        tell(self.channel, {"exited": pid, "status": os.waitstatus_to_exitcode(status)})

    def leave(self) -> None:
        """In a child: close what is the server's alone."""
        self.channel.close()
        for pidfd in self.children:
            os.close(pidfd)


class Watch:
    """Notices that a process which is started now would import something else.

    What it keeps is two pieces of memory. A thousand strings would be written to each time one looks at them,
    since Python counts who refers to them; and what is written to is no longer shared with kernels.
    """

    def __init__(self) -> None:
        paths = sorted(set(watched()))
        self.paths = "\0".join(paths)
        self.states = b"".join(map(state, paths))

    def changed(self) -> str | None:
        """The first path that has changed, None where none has."""
        at = 0
        for path in self.paths.split("\0"):
            now = state(path)
            if not self.states.startswith(now, at):
                return path
            at += len(now)
        return None


def watched() -> Iterator[str]:
    """The interpreter, all modules, and the folders and files that say where modules are."""
    yield sys.executable
    yield os.path.join(sys.prefix, "pyvenv.cfg")
    for folder in sys.path:
        yield folder
        if os.path.isdir(folder):
            yield from (entry.path for entry in os.scandir(folder) if entry.name.endswith(".pth"))
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            yield file


def state(path: str) -> bytes:
    """What is another once a file was written or replaced, or something in a folder came or went."""
    try:
        status = os.stat(path)
    except OSError:
        return STATE.pack(0, 0, 0)
    return STATE.pack(status.st_mtime_ns, status.st_size, status.st_ino)


class NotedEnviron(os._Environ[str]):
    """Notes what is looked up: what modules read while they are imported is the same in each child."""

    noted: set[str] = set()

    def __getitem__(self, key: str) -> str:
        # Some try it with bytes, which raises.
        self.noted.add(os.fsdecode(key))
        return super().__getitem__(key)


def listed(value: object) -> list[object]:
    """A list, as a request has it."""
    if isinstance(value, list):
        return value
    raise TypeError("a list was expected")


def mapped(value: object) -> dict[object, object]:
    """An object, as a request has it."""
    if isinstance(value, dict):
        return value
    raise TypeError("an object was expected")


def tell(channel: socket.socket, what: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
    """Send one message to the host; where there is none any more, end."""
    try:
        socket.send_fds(channel, [json.dumps(what).encode()], descriptors)
    except OSError:
        os._exit(0)


# Importing


def import_all(modules: Sequence[str], channel: socket.socket) -> dict[str, str]:
    """Import what a kernel needs, then what was asked for; what of that could not be imported, and why."""
    importlib.import_module(KERNEL_MODULES[0])
    for name in KERNEL_MODULES[1:]:
        try:
            importlib.import_module(name)
        except ImportError:
            # Versions of ipykernel and IPython differ in what they need.
            continue
    check_threads("", channel)
    failed = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001
            # A module may raise whatever it likes; kernels start without it.
            failed[name] = f"{type(error).__name__}: {error}"
        check_threads(name, channel)
    return failed


def check_threads(module: str, channel: socket.socket) -> None:
    """End this process, and say whose fault it is, where a fork would lose threads."""
    if not is_single():
        tell(channel, {"refused": "threads", "module": module})
        os._exit(0)


def is_single() -> bool:
    """Whether there is one thread at a fork; some libraries, such as OpenBLAS, end theirs before each."""
    if threads() > 1:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return threads() == 1


def threads() -> int:
    """How many there are, also of those that Python knows nothing of."""
    return len(os.listdir("/proc/self/task"))


def started_with() -> set[str]:
    """The variables that this process was given; an interpreter may add one to say what its locale is."""
    with open("/proc/self/environ", "rb") as file:
        return {os.fsdecode(word.partition(b"=")[0]) for word in file.read().split(b"\0")}


def changes(before: Mapping[str, str]) -> dict[str, str | None]:
    """The variables that are others than before, with None for those that are gone."""
    names = {*before, *os.environ}
    return {name: os.environ.get(name) for name in names if before.get(name) != os.environ.get(name)}


def look_around() -> None:
    """See anew what is in all folders, for all kernels at once; a folder that changes makes this stale."""
    importlib.invalidate_caches()
    importlib.machinery.PathFinder.find_spec("a_module_that_is_nowhere")


def move_together() -> None:
    """Have the modules' file names side by side: each kernel lists them, and that counts as writing."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if type(file) is str:
            vars(module)["__file__"] = os.fsdecode(os.fsencode(file))


def freeze() -> None:
    """Keep the collector from writing to what is there now."""
    known = "gc" in sys.modules
    collector = importlib.import_module("gc")
    collector.collect()
    collector.freeze()
    if not known:
        # The only module that this file needs and a kernel may not have.
        del sys.modules["gc"]


# In a child


def become(child: Child, imposed: Mapping[str, str | None]) -> None:
    """Make of a forked process what a started one is.

    ``imposed`` is what an interpreter and the modules of this environment do to variables when they start.
    """
    os.setsid()
    take_streams(child)
    os.environ.clear()
    os.environ.update(child.environ)
    for name, value in imposed.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ.setdefault(name, value)
    refresh(sys.modules)
    show(child)
    sys.argv = ["-m", *child.arguments]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = child.argv
    if sees_folders():
        sys.path.insert(0, os.getcwd())
    for path in sys.path:
        if sys.path_importer_cache.get(path, path) is None:
            # It was not there, and may be by now. Folders that were are looked at again by their times.
            del sys.path_importer_cache[path]
    main = types.ModuleType("__main__")
    vars(main).update(__builtins__=sys.modules["builtins"], __annotations__={})
    sys.modules["__main__"] = main


def sees_folders() -> bool:
    """Whether a program's folder, or the working folder, is the first in which it looks for modules."""
    return not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def take_streams(child: Child) -> None:
    """A stdin that has ended, as jupyter_client gives kernels, and the stdout and stderr of its own."""
    reader, writer = os.pipe()
    os.close(writer)
    for source, target in ((reader, 0), (child.stdout, 1), (child.stderr, 2)):
        os.dup2(source, target)
    for descriptor in (reader, child.stdout, child.stderr):
        os.close(descriptor)


def refresh(modules: Mapping[str, types.ModuleType]) -> None:
    """What these modules draw or note when they are imported, each process has to have for itself.

    Python itself sees to ``random``, and to locks.
    """
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "uuid" in modules:
        vars(modules["uuid"]).update(_node=None, _last_timestamp=None)
    if "tempfile" in modules:
        vars(modules["tempfile"])["tempdir"] = None
    if "multiprocessing.process" in modules:
        modules["multiprocessing.process"].current_process().authkey = os.urandom(32)
    if "threading" in modules:
        modules["threading"].current_thread()._set_native_id()
    if "logging" in modules:
        in_seconds = isinstance(modules["logging"]._startTime, float)
        vars(modules["logging"])["_startTime"] = time.time() if in_seconds else time.time_ns()


# What ``/proc`` shows


def show(child: Child) -> None:
    """Have ``/proc`` show the command and the variables of the kernel rather than the server's."""
    words = b"".join(os.fsencode(word) + b"\0" for word in child.argv)
    variables = "".join(f"{name}={value}\0" for name, value in child.environ.items())
    if not point_at(words, os.fsencode(variables)):
        overwrite(words, os.fsencode(child.mark))


def memory_layout() -> list[int]:
    """Fields 26 to 28 and 45 to 51 of ``/proc/self/stat``: see proc(5)."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return [int(field) for field in (*fields[23:26], *fields[42:49])]


def point_at(words: bytes, variables: bytes) -> bool:
    """Tell the system where to look for both; whether it can be told: some are built without that."""
    shown = ctypes.create_string_buffer(words + variables, len(words) + len(variables))
    # It has to stay where it is for as long as the process runs.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(shown))
    begin = ctypes.addressof(shown)
    middle, end = begin + len(words), begin + len(shown)
    libc = ctypes.CDLL(None)
    libc.sbrk.restype = ctypes.c_void_p
    start_code, end_code, start_stack, start_data, end_data, start_brk = memory_layout()[:6]
    places = (start_code, end_code, start_data, end_data, start_brk, libc.sbrk(0), start_stack)
    # struct prctl_mm_map of <linux/prctl.h>, with an auxiliary vector and a program that stay as they are.
    layout = struct.pack("=12QIi", *places, begin, middle, middle, end, 0, 0, -1)
    size, nothing = ctypes.c_ulong(len(layout)), ctypes.c_ulong(0)
    return bool(libc.prctl(PR_SET_MM, ctypes.c_ulong(PR_SET_MM_MAP), layout, size, nothing) == 0)


def overwrite(words: bytes, mark: bytes) -> None:
    """Write the command and the mark over what the server was started with, as far as there is room."""
    arguments, arguments_end, variables, variables_end = memory_layout()[6:]
    room = arguments_end - arguments
    ctypes.memmove(arguments, words[: room - 1].ljust(room, b"\0"), room)
    name = mark.partition(b"=")[0]
    for found in re.finditer(rb"([^=\0]+)=[^\0]*", ctypes.string_at(variables, variables_end - variables)):
        if found[1] == name:
            room = len(found[0])
            ctypes.memmove(variables + found.start(), mark[:room].ljust(room, b"\0"), room)


def main(descriptor: int, modules: Sequence[str]) -> str:
    """Serve; in a child, return the name of the module that the kernel runs."""
    if sees_folders():
        # This file's own folder, which no kernel has.
        sys.path_importer_cache.pop(sys.path.pop(0), None)
    before = dict(os.environ)
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)
    os.environ.__class__ = NotedEnviron
    failed = import_all(modules, channel)
    os.environ.__class__ = os._Environ
    given = started_with()
    imposed = {**{name: before[name] for name in before if name not in given}, **changes(before)}
    look_around()
    move_together()
    server = Server(channel, Watch())
    freeze()
    tell(channel, {"ready": {"reads": sorted(NotedEnviron.noted), "failed": failed}})
    child = server.serve()
    server.leave()
    become(child, imposed)
    if os.read(child.go, 1) == b"":
        os._exit(0)
    os.close(child.go)
    return child.module


if __name__ == "__main__":
    # What ``-m`` itself calls.
    vars(runpy)["_run_module_as_main"](
        main(int(sys.argv[1]), [name for name in sys.argv[2].split(",") if name])
    )
