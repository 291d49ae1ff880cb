"""The REST models as servers of many versions answer them."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from kernelway.client.stock_models import KernelAnswer, SessionAnswer, sparse
from kernelway.protocol.models import ExecutionState, OpenSession, SessionKernel, StartKernel


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("idle", ExecutionState.IDLE),
        ("dead", ExecutionState.DEAD),
        ("unknown", ExecutionState.STARTING),
        ("", ExecutionState.STARTING),
    ],
)
def test_states_that_no_client_knows_count_as_starting(state: str, expected: ExecutionState) -> None:
    model = KernelAnswer(id="k", execution_state=state, connections=-1).model()
    assert (model.execution_state, model.connections, model.reason) == (expected, 0, UNSET)


@pytest.mark.parametrize(
    ("answer", "path", "name", "kind"),
    [
        ({"path": "a/b.py", "name": "b", "type": "file"}, "a/b.py", "b", "file"),
        ({"path": "a/b.py", "name": None, "type": "console"}, "a/b.py", "b.py", "console"),
        ({"notebook": {"path": "a/c.ipynb"}}, "a/c.ipynb", "c.ipynb", "notebook"),
        ({"notebook": {"path": "a/c.ipynb", "name": "c"}}, "a/c.ipynb", "c", "notebook"),
    ],
)
def test_sessions_of_every_shape(answer: dict, path: str, name: str, kind: str) -> None:
    whole = {"id": "s", "kernel": {"id": "k", "name": "python3"}, **answer}
    model = msgspec.convert(whole, SessionAnswer).model()
    assert model is not None
    assert (model.path, model.name, model.type, model.kernel.id) == (path, name, kind, "k")


def test_a_session_without_a_kernel_is_none() -> None:
    assert msgspec.convert({"id": "s", "path": "p", "kernel": None}, SessionAnswer).model() is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (StartKernel(), {}),
        (StartKernel(name="python3", env={"A": "b"}), {"name": "python3", "env": {"A": "b"}}),
        (StartKernel(lease=2.5), {"lease": 2.5}),
        (
            OpenSession("p", type="file", name="n", kernel=SessionKernel(name="python3", path="/tmp")),
            {"path": "p", "type": "file", "name": "n", "kernel": {"name": "python3", "path": "/tmp"}},
        ),
        (OpenSession("p"), {"path": "p", "type": "notebook", "name": ""}),
    ],
)
def test_a_request_leaves_out_what_is_not_asked_for(body: msgspec.Struct, expected: dict) -> None:
    assert sparse(body) == expected
