"""The REST models, as clients of Jupyter send and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from kernelway.protocol.models import (
    ExecutionState,
    KernelId,
    KernelModel,
    OpenSession,
    SessionKernel,
    Spec,
    StartKernel,
    UpdateSession,
    timestamp,
)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 20, 18, 30, tzinfo=UTC), "2026-11-20T18:30:00.000000Z"),
        (datetime(2026, 11, 20, 18, 30, 1, 20, tzinfo=UTC), "2026-11-20T18:30:01.000020Z"),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2025-12-31T23:00:00.000000Z"),
    ],
)
def test_a_timestamp_is_in_utc_and_always_has_its_fraction(moment: datetime, text: str) -> None:
    assert timestamp(moment) == text
    assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) == moment


def test_the_states_are_those_that_clients_know() -> None:
    assert {state.value for state in ExecutionState} == {"starting", "idle", "busy", "restarting", "dead"}


@pytest.mark.parametrize(
    ("given", "more"), [({}, {}), ({"reason": "It was killed."}, {"reason": "It was killed."})]
)
def test_a_kernel_has_a_reason_only_where_there_is_one(given: dict[str, Any], more: dict[str, Any]) -> None:
    model = KernelModel(KernelId("k"), "python3", "t", ExecutionState.IDLE, 2, **given)
    encoded = msgspec.json.decode(msgspec.json.encode(model))
    common = {"id": "k", "name": "python3", "last_activity": "t", "execution_state": "idle", "connections": 2}
    assert encoded == common | more


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ("{}", StartKernel()),
        ('{"name":"python3"}', StartKernel(name="python3")),
        # As a stock jupyter_server sends it to its gateway, and as one sends it to itself.
        ('{"name":"ir","env":{"A":"1"}}', StartKernel(name="ir", env={"A": "1"})),
        ('{"name":null,"path":"sub/a.ipynb"}', StartKernel(path="sub/a.ipynb")),
        ('{"name":"x","kernel_id":"y","more":[1]}', StartKernel(name="x")),
        ('{"lease":600}', StartKernel(lease=600.0)),
        ('{"path":"a","kernel":{"lease":0.5}}', OpenSession("a", kernel=SessionKernel(lease=0.5))),
        ('{"path":"a","kernel":{"id":null,"name":"b"}}', OpenSession("a", kernel=SessionKernel(name="b"))),
        (
            '{"path":"a","type":"console","name":"n","kernel":{"id":"k"}}',
            OpenSession("a", "console", "n", SessionKernel(KernelId("k"))),
        ),
        ('{"name":"new"}', UpdateSession(name="new")),
        ('{"kernel":{"name":"ir"}}', UpdateSession(kernel=SessionKernel(name="ir"))),
        ('{"argv":["a"],"display_name":"A","language":"a","codemirror_mode":1}', Spec(["a"], "A", "a")),
    ],
)
def test_a_body_is_read_with_what_it_leaves_out_and_has_too_much(body: str, model: msgspec.Struct) -> None:
    assert msgspec.json.decode(body, type=type(model)) == model


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"name":5}', StartKernel),
        ('{"env":{"A":1}}', StartKernel),
        ('{"env":null}', StartKernel),
        ('{"lease":0}', StartKernel),
        ('{"lease":-1}', StartKernel),
        ('{"lease":"600"}', StartKernel),
        ('{"path":"a","kernel":{"lease":0}}', OpenSession),
        ("[]", StartKernel),
        ("{}", OpenSession),
        ('{"path":"a","kernel":"python3"}', OpenSession),
    ],
)
def test_a_body_that_does_not_fit_is_refused(body: str, kind: type) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=kind)


def test_overlapping_requests_share_no_environment() -> None:
    assert StartKernel().env is not StartKernel().env
    assert SessionKernel().env is not SessionKernel().env
