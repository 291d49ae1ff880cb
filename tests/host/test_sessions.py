"""Sessions of the REST API, on real kernels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.host.runs import kernels_in, process_of
from tests.host.specs import Specs
from tests.host.talk import turn

from kernelway.host.journals import Journals
from kernelway.host.kernels import Kernels
from kernelway.host.run import Surroundings
from kernelway.host.sessions import Sessions
from kernelway.protocol.errors import InvalidRequest, KernelStartFailed, NotFound
from kernelway.protocol.models import (
    KernelId,
    OpenSession,
    RestSessionId,
    SessionKernel,
    StartKernel,
    UpdateSession,
)

SMALL = SessionKernel(name="small")


@pytest.fixture
async def kernels(surroundings: Surroundings, specs: Specs, journals: Journals) -> AsyncIterator[Kernels]:
    home = surroundings.folder.parent
    kernels = kernels_in(surroundings, journals, home=home)
    yield kernels
    await kernels.close()


@pytest.fixture
def sessions(kernels: Kernels, journals: Journals) -> Sessions:
    return Sessions(kernels, journals)


def ask(path: str = "a.ipynb", *, kernel: SessionKernel = SMALL, **names: str) -> OpenSession:
    return OpenSession(path=path, kernel=kernel, **names)


async def test_a_session_joins_a_path_to_a_new_kernel(sessions: Sessions, kernels: Kernels) -> None:
    model = await sessions.open(ask("sub/a.ipynb", name="a", type="notebook"))
    assert (model.path, model.name, model.type) == ("sub/a.ipynb", "a", "notebook")
    [kernel] = kernels
    assert model.kernel == kernel.model()
    assert sessions.get(model.id) == model
    assert sessions.all() == [model]


async def test_the_kernel_of_a_session_is_as_it_was_asked_for(sessions: Sessions, kernels: Kernels) -> None:
    await sessions.open(ask(kernel=SessionKernel(name="small", env={"MINE": "1"}, path="/usr")))
    [kernel] = kernels
    process = process_of(kernel)
    assert process.cwd() == "/usr"
    assert process.environ()["MINE"] == "1"


async def test_a_session_may_have_a_kernel_that_runs_already(sessions: Sessions, kernels: Kernels) -> None:
    kernel = await kernels.start(StartKernel(name="small"))
    model = await sessions.open(ask(kernel=SessionKernel(id=kernel.id)))
    assert model.kernel.id == kernel.id
    assert len(kernels) == 1


async def test_the_same_path_and_type_are_the_same_session(sessions: Sessions, kernels: Kernels) -> None:
    first = await sessions.open(ask())
    assert (await sessions.open(ask(name="another"))).id == first.id
    assert (await sessions.open(ask(type="console"))).id != first.id
    assert (await sessions.open(ask("b.ipynb"))).id != first.id
    assert len(kernels) == 3


async def test_sessions_opened_at_once_for_one_path_are_one(sessions: Sessions, kernels: Kernels) -> None:
    models = await asyncio.gather(*(sessions.open(ask()) for _ in range(5)))
    assert len({model.id for model in models}) == 1
    assert len(kernels) == 1
    assert len(sessions._opening) == 0


async def test_after_a_start_that_failed_the_next_of_those_at_once_tries_alone(
    sessions: Sessions, kernels: Kernels, specs: Specs
) -> None:
    specs.add_script("ending", "import sys; sys.exit('no licence')")
    failing = asyncio.create_task(sessions.open(ask(kernel=SessionKernel(name="ending"))))
    await turn()
    others = [asyncio.create_task(sessions.open(ask())) for _ in range(2)]
    failing.add_done_callback(lambda _: others.append(asyncio.create_task(sessions.open(ask()))))
    with pytest.raises(KernelStartFailed):
        await failing
    models = await asyncio.gather(*others)
    assert len(others) == 3
    assert len({model.id for model in models}) == 1
    assert len(kernels) == 1


async def test_a_session_needs_a_path(sessions: Sessions, kernels: Kernels) -> None:
    with pytest.raises(InvalidRequest, match="path"):
        await sessions.open(ask(""))
    assert len(kernels) == 0


@pytest.mark.parametrize("kernel", [SessionKernel(id=KernelId("gone")), SessionKernel(name="none")])
async def test_a_kernel_that_cannot_be_makes_no_session(sessions: Sessions, kernel: SessionKernel) -> None:
    with pytest.raises(NotFound):
        await sessions.open(ask(kernel=kernel))
    assert sessions.all() == []


# Changes


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (UpdateSession(), ("a.ipynb", "a", "notebook")),
        (UpdateSession(path="b.ipynb"), ("b.ipynb", "a", "notebook")),
        (UpdateSession(name="b"), ("a.ipynb", "b", "notebook")),
        (UpdateSession(name=""), ("a.ipynb", "", "notebook")),
        (UpdateSession(type="console"), ("a.ipynb", "a", "console")),
        (UpdateSession(kernel=SessionKernel()), ("a.ipynb", "a", "notebook")),
    ],
)
async def test_only_what_is_named_changes(
    sessions: Sessions, change: UpdateSession, expected: tuple[str, str, str]
) -> None:
    before = await sessions.open(ask(name="a"))
    after = await sessions.update(before.id, change)
    assert (after.path, after.name, after.type) == expected
    assert (after.id, after.kernel.id) == (before.id, before.kernel.id)
    assert sessions.get(before.id) == after


async def test_another_kernel_ends_the_one_before(sessions: Sessions, kernels: Kernels) -> None:
    before = await sessions.open(ask())
    after = await sessions.update(before.id, UpdateSession(kernel=SMALL))
    assert after.kernel.id != before.kernel.id
    assert [kernel.id for kernel in kernels] == [after.kernel.id]
    # To be given the kernel that it has changes nothing.
    same = SessionKernel(id=after.kernel.id)
    assert (await sessions.update(before.id, UpdateSession(kernel=same))).kernel.id == after.kernel.id
    assert len(kernels) == 1


async def test_a_kernel_that_another_session_has_goes_on(sessions: Sessions, kernels: Kernels) -> None:
    notebook = await sessions.open(ask())
    shared = SessionKernel(id=notebook.kernel.id)
    console = await sessions.open(ask("console", type="console", kernel=shared))
    await sessions.update(notebook.id, UpdateSession(kernel=SMALL))
    assert len(kernels) == 2
    assert sessions.get(console.id).kernel.id == notebook.kernel.id


async def test_changes_at_once_all_count(sessions: Sessions) -> None:
    session = await sessions.open(ask(name="a"))
    changing = asyncio.create_task(sessions.update(session.id, UpdateSession(kernel=SMALL)))
    await turn()
    await sessions.update(session.id, UpdateSession(name="renamed"))
    after = await changing
    assert after.name == "renamed"
    assert after.kernel.id != session.kernel.id


async def test_a_session_closed_while_its_kernel_changes_leaves_none(
    sessions: Sessions, kernels: Kernels
) -> None:
    session = await sessions.open(ask())
    changing = asyncio.create_task(sessions.update(session.id, UpdateSession(kernel=SMALL)))
    while len(kernels) < 2:
        await turn()
    await sessions.close(session.id)
    with pytest.raises(NotFound):
        await changing
    assert sessions.all() == []
    assert len(kernels) == 0


async def test_a_kernel_that_fails_to_start_leaves_the_session_as_it_was(
    sessions: Sessions, kernels: Kernels
) -> None:
    before = await sessions.open(ask())
    with pytest.raises(NotFound):
        await sessions.update(before.id, UpdateSession(name="b", kernel=SessionKernel(name="none")))
    assert sessions.get(before.id) == before


# Ends


async def test_closing_a_session_ends_its_kernel(sessions: Sessions, kernels: Kernels) -> None:
    session, other = await sessions.open(ask()), await sessions.open(ask("b.ipynb"))
    await sessions.close(session.id)
    assert [kernel.id for kernel in kernels] == [other.kernel.id]
    assert [each.id for each in sessions.all()] == [other.id]


async def test_a_session_whose_kernel_was_shut_down_is_gone(sessions: Sessions, kernels: Kernels) -> None:
    session = await sessions.open(ask())
    await kernels.shutdown(session.kernel.id)
    assert sessions.all() == []
    with pytest.raises(NotFound, match=session.id):
        sessions.get(session.id)
    assert (await sessions.open(ask())).id != session.id


async def test_what_is_not_there_is_not_found(sessions: Sessions) -> None:
    gone = RestSessionId("gone")
    with pytest.raises(NotFound):
        sessions.get(gone)
    with pytest.raises(NotFound):
        await sessions.close(gone)
    with pytest.raises(NotFound):
        await sessions.update(gone, UpdateSession(kernel=SMALL))
