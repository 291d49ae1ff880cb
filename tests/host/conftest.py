"""What the tests of the host share: the event loop of ``kernelway serve``, kernelspecs, and surroundings."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from tests.host import provisioners
from tests.host.runs import Lives, Runs
from tests.host.specs import SMALL, Specs

from kernelway.host.guard import Guard
from kernelway.host.journals import JournalLimits, Journals
from kernelway.host.run import HOST_MARK, Surroundings
from kernelway.host.sockets import new_context

_ON_BOTH_LOOPS = {
    "test_fork_server.py",
    "test_forked_process.py",
    "test_guard.py",
    "test_output_tail.py",
    "test_processes.py",
    "test_sockets.py",
}
"""The tests of what watches descriptors itself; an embedded gateway runs on the loop of its program."""


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that ``kernelway serve`` runs in, and for some tests Python's own as well."""
    own = {"asyncio": asyncio.new_event_loop} if item.path.name in _ON_BOTH_LOOPS else {}
    return {"uvloop": uvloop.new_event_loop, **own}


@pytest.fixture(scope="session", autouse=True)
def _descriptors_for_hundreds_of_kernels() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="session", autouse=True)
def _what_libuv_keeps() -> None:
    """The first loop makes a pipe for signals that all later ones use, and none closes."""
    uvloop.new_event_loop().close()


@pytest.fixture(scope="session", autouse=True)
def _quick_collections() -> Iterator[None]:
    """What was imported before the tests need not be looked through after each of them."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Specs:
    """A folder of kernelspecs of the test's own; ``small`` is there, and the environment's ``python3``."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    folder = tmp_path / "kernels"
    folder.mkdir()
    specs = Specs(folder)
    specs.add_small()
    return specs


@pytest.fixture
async def surroundings() -> AsyncIterator[Surroundings]:
    """What kernels of a host share, for tests that need no host."""
    folder = Path(tempfile.mkdtemp(prefix="h-", dir=os.environ["XDG_RUNTIME_DIR"]))
    mark = uuid.uuid4().hex
    guard = Guard(marker=f"{HOST_MARK}={mark}", folder=folder, environ=dict(os.environ))
    # At its end the context warns of a socket that was left open, and a warning is an error here.
    with new_context() as context:
        async with guard:
            yield Surroundings(
                context=context, folder=folder, mark=mark, environ=dict(os.environ), guard=guard
            )
    assert not folder.exists()


@pytest.fixture
async def runs(surroundings: Surroundings, specs: Specs) -> AsyncIterator[Runs]:
    runs = Runs(surroundings)
    yield runs
    await runs.end()
    assert list(surroundings.folder.iterdir()) == []


@pytest.fixture
async def journals() -> AsyncIterator[Journals]:
    """Journals in memory."""
    async with Journals(None, JournalLimits()) as journals:
        yield journals


@pytest.fixture
async def lives(surroundings: Surroundings, specs: Specs, journals: Journals) -> AsyncIterator[Lives]:
    lives = Lives(surroundings, journals)
    yield lives
    await lives.end()
    assert list(surroundings.folder.iterdir()) == []


@pytest.fixture
def innocent() -> Iterator[subprocess.Popen[bytes]]:
    """A process group with a number that a foreign provisioner knows from its own machine."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


@pytest.fixture
def foreign(
    specs: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, innocent: subprocess.Popen[bytes]
) -> Iterator[Callable[[str], str]]:
    """Installs a kernelspec with a foreign provisioner that makes a certain trouble; its name."""
    site = tmp_path / "site"
    provisioners.install(site)
    monkeypatch.syspath_prepend(site)
    # It looks for what is installed once.
    KernelProvisionerFactory.clear_instance()

    def install(trouble: str = "") -> str:
        config = {"folder": str(tmp_path), "trouble": trouble, "pid": innocent.pid, "pgid": innocent.pid}
        metadata = {"kernel_provisioner": {"provisioner_name": provisioners.NAME, "config": config}}
        specs.add("foreign", [sys.executable, str(SMALL), "{connection_file}"], metadata=metadata)
        return "foreign"

    yield install
    KernelProvisionerFactory.clear_instance()


@pytest.fixture(autouse=True)
def _the_loop_has_no_complaint(request: pytest.FixtureRequest, no_task_is_left: None) -> None:
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("_complaints")


@pytest.fixture
async def _complaints() -> AsyncIterator[None]:
    """Fail a test in which the event loop heard of an error that nobody caught or fetched."""
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    yield
    gc.collect()
    assert heard == []
