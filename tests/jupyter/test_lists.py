from __future__ import annotations

from kernelway.jupyter.lists import Lists, by_id
from kernelway.protocol.models import ExecutionState, KernelId, KernelModel, RestSessionId, SessionModel


def kernel(name: str, state: ExecutionState = ExecutionState.IDLE) -> KernelModel:
    return KernelModel(
        id=KernelId(name), name="python3", last_activity="", execution_state=state, connections=0
    )


def session(name: str, of: KernelModel) -> SessionModel:
    return SessionModel(id=RestSessionId(name), path=name, name=name, type="notebook", kernel=of)


ONE, OTHER = kernel("one"), kernel("other")


def test_a_kernel_that_only_a_session_tells_of_is_known() -> None:
    lists = by_id([ONE], [session("s", OTHER)])
    assert set(lists.kernels) == {"one", "other"}


def test_a_kernel_s_own_model_counts_more_than_that_in_its_session() -> None:
    busy = kernel("one", ExecutionState.BUSY)
    assert by_id([busy], [session("s", ONE)]).kernels[ONE.id] is busy


def test_a_kernel_s_new_state_is_in_its_sessions_too() -> None:
    busy = kernel("one", ExecutionState.BUSY)
    lists = by_id([ONE, OTHER], [session("s", ONE), session("t", OTHER)]).with_kernel(busy)
    assert lists == by_id([busy, OTHER], [session("s", busy), session("t", OTHER)])


def test_a_session_comes_with_its_kernel() -> None:
    assert Lists().with_session(session("s", ONE)) == by_id([ONE], [session("s", ONE)])


def test_a_kernel_goes_with_its_sessions() -> None:
    lists = by_id([ONE, OTHER], [session("s", ONE), session("t", ONE), session("u", OTHER)])
    assert lists.without_kernel(ONE.id) == by_id([OTHER], [session("u", OTHER)])


def test_a_session_goes_with_its_kernel_unless_another_has_that() -> None:
    lists = by_id([ONE], [session("s", ONE), session("t", ONE)])
    left = lists.without_session(RestSessionId("s"))
    assert left == by_id([ONE], [session("t", ONE)])
    assert left.without_session(RestSessionId("t")) == Lists()


def test_what_is_not_there_cannot_go() -> None:
    lists = by_id([ONE], [])
    assert lists.without_session(RestSessionId("s")) == lists
    assert lists.without_kernel(OTHER.id) == lists
