"""What holds for every test: it has folders of its own, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from tests.support.leftovers import MARK, Leftovers

_RUNTIME = "XDG_RUNTIME_DIR"

_FOLDERS = {
    "XDG_STATE_HOME": "state",
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "XDG_CACHE_HOME": "cache",
    "JUPYTER_CONFIG_DIR": "jupyter/config",
    "JUPYTER_DATA_DIR": "jupyter/data",
    "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
    "IPYTHONDIR": "ipython",
    _RUNTIME: "run",
}

_SHARED = pytest.StashKey[Leftovers]()
"""What belongs to fixtures that several tests share, and so is there between them."""

_SEEN = pytest.StashKey[Leftovers]()
"""What was there after the test before."""


def pytest_configure(config: pytest.Config) -> None:
    if sys.version_info < (3, 11, 5) and config.option.tbstyle == "auto":
        # There ast.parse, by which pytest shows a failure, may end the whole run (CPython's issue 106905).
        config.option.tbstyle = "native"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A script that starts the tests beside itself has them ignore it, and all that they start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Sockets lie in these folders, and the path of one has about a hundred bytes: so it begins at /tmp.
    home = Path(tempfile.mkdtemp(prefix="kwt-", dir="/tmp"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    context = pytest.MonkeyPatch()
    config.add_cleanup(context.undo)
    for name, place in _FOLDERS.items():
        folder = home / place
        folder.mkdir(mode=0o700, parents=True)
        context.setenv(name, str(folder))
    # Kernelway makes a folder in that of the login once, and keeps it; what it makes there is to go.
    (home / _FOLDERS[_RUNTIME] / "kernelway").mkdir(mode=0o700)
    context.setenv(MARK, uuid.uuid4().hex)
    # Kernels that nobody asked for are in the tests that are about them.
    context.setenv("KERNELWAY_WARM", "0")
    config.stash[_SHARED] = Leftovers()
    with contextlib.suppress(ImportError):
        import uvloop

        # With its first loop libuv opens a pipe for signals, which it keeps for as long as the process runs.
        uvloop.new_event_loop().close()
    # Not as a function of this file: such a one is not called for the fixtures of the whole session.
    config.pluginmanager.register(_SharedFixtures(config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Three for two processors, since a test waits for other processes half of its time."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2)


def pytest_collection_finish() -> None:
    if "zmq" in sys.modules:
        _send_without_a_copy()


def _send_without_a_copy() -> None:
    # The first such message starts a thread of pyzmq's, with sockets of its own, which takes back the memory
    # of all of them and lasts for as long as the process runs.
    import zmq

    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
        one.bind("inproc://first")
        other.connect("inproc://first")
        tracker = one.send(bytes(1 << 20), copy=False, track=True)
        other.recv()
        tracker.wait(10)


class _SharedFixtures:
    """Notes what each fixture of several tests starts, whenever it is first asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self._stash = config.stash

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        before = _leftovers()
        result = yield
        self._stash[_SHARED] |= _leftovers() - before
        return result


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test after which a process, a thread, a descriptor or a socket's file is there that was not."""
    stash = request.config.stash
    before = stash.get(_SEEN, None) or _leftovers()
    yield
    after = _leftovers()
    if after - before - stash[_SHARED] != Leftovers():
        (after - before - stash[_SHARED]).wait()
        after = _leftovers()
    # What this test is blamed for the next one is not.
    stash[_SEEN] = after
    complaints = (after - before - stash[_SHARED]).complaints()
    assert not complaints, "\n".join(["This is left behind:", *complaints])


@pytest.fixture(autouse=True)
def no_task_is_left(request: pytest.FixtureRequest, nothing_is_left: None) -> None:
    """Fail a coroutine's test after which a task of its event loop still runs."""
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("_no_task_is_left")


@pytest.fixture
async def _no_task_is_left() -> AsyncIterator[None]:
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        # The event loop's own, such as one that takes a connection which was just cut, may be about to end.
        _, left = await asyncio.wait(left, timeout=2)
    assert not left, "\n".join(["These tasks are left behind:", *map(str, left)])


def _leftovers() -> Leftovers:
    return Leftovers.now(Path(os.environ[_RUNTIME]))
