"""``/api/sessions``, as real clients hold a server to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

BASE_URL = "/user/ana"

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@asynccontextmanager
async def opened(http: ClientSession, **body: Any) -> AsyncIterator[dict[str, Any]]:
    """A session that ends with the block, and its kernel with it."""
    async with http.post("api/sessions", json=body) as answer:
        assert answer.status == 201, await answer.text()
        session: dict[str, Any] = await answer.json()
        assert answer.headers["Location"] == f"{BASE_URL}/api/sessions/{session['id']}"
    try:
        yield session
    finally:
        async with http.delete(f"api/sessions/{session['id']}") as answer:
            assert answer.status in (204, 404)


async def get(http: ClientSession, path: str) -> Any:
    async with http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def patch(http: ClientSession, session: dict[str, Any], **change: object) -> dict[str, Any]:
    async with http.patch(f"api/sessions/{session['id']}", json=change) as answer:
        assert answer.status == 200, await answer.text()
        changed: dict[str, Any] = await answer.json()
        return changed


def lasting(model: dict[str, Any]) -> dict[str, Any]:
    """What of a kernel's or session's model does not change from one moment to the next."""
    if "kernel" in model:
        return {**model, "kernel": lasting(model["kernel"])}
    return {name: model[name] for name in ("id", "name", "connections")}


async def kernels(http: ClientSession) -> set[str]:
    return {model["id"] for model in await get(http, "api/kernels")}


async def test_the_life_of_a_session(http: ClientSession, kernel_id: str) -> None:
    body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": "python3"}}
    async with opened(http, **body) as session:
        assert session.keys() == {"id", "path", "name", "type", "kernel"}
        assert (session["path"], session["name"], session["type"]) == ("a.ipynb", "a", "notebook")
        kernel = await get(http, f"api/kernels/{session['kernel']['id']}")
        assert kernel.keys() == session["kernel"].keys()
        assert lasting(kernel) == lasting(session["kernel"])
        assert lasting(await get(http, f"api/sessions/{session['id']}")) == lasting(session)
        assert list(map(lasting, await get(http, "api/sessions"))) == [lasting(session)]

        # Opened again it is the same one, with its kernel, whatever kernel is asked for.
        async with http.post("api/sessions", json={**body, "kernel": {"name": "pictured"}}) as answer:
            assert answer.status == 201
            assert lasting(await answer.json()) == lasting(session)

        renamed = lasting(await patch(http, session, path="b.ipynb", name="b", type="console"))
        assert renamed == {**lasting(session), "path": "b.ipynb", "name": "b", "type": "console"}
        assert lasting(await patch(http, session)) == renamed
        assert await kernels(http) == {kernel_id, session["kernel"]["id"]}

        async with http.delete(f"api/sessions/{session['id']}") as answer:
            assert (answer.status, await answer.read()) == (204, b"")
        assert await get(http, "api/sessions") == []
        assert await kernels(http) == {kernel_id}


async def test_two_that_open_a_path_at_once_get_one_session(http: ClientSession) -> None:
    async def open_it() -> dict[str, Any]:
        async with http.post("api/sessions", json={"path": "same.py", "type": "file"}) as answer:
            assert answer.status == 201
            session: dict[str, Any] = await answer.json()
            return session

    sessions = await asyncio.gather(open_it(), open_it(), open_it())
    assert len({session["id"] for session in sessions}) == 1
    assert len(await get(http, "api/sessions")) == 1
    async with opened(http, path="same.py", type="console") as other:
        assert other["id"] != sessions[0]["id"]
    async with http.delete(f"api/sessions/{sessions[0]['id']}") as answer:
        assert answer.status == 204


async def test_a_session_takes_a_running_kernel_and_gives_it_up_for_another(
    http: ClientSession, kernel_id: str
) -> None:
    async with opened(http, path="c.ipynb", kernel={"name": "python3"}) as session:
        own = session["kernel"]["id"]
        async with opened(http, path="d.ipynb", kernel={"id": own}) as second:
            assert second["kernel"]["id"] == own
            # The first leaves its kernel, which the second still has.
            changed = await patch(http, session, kernel={"name": "pictured"})
            assert (changed["id"], changed["kernel"]["name"]) == (session["id"], "pictured")
            assert await kernels(http) == {kernel_id, own, changed["kernel"]["id"]}
            # Now nobody has the first kernel any more.
            await patch(http, second, kernel={"id": changed["kernel"]["id"]})
            assert await kernels(http) == {kernel_id, changed["kernel"]["id"]}


async def test_a_session_is_gone_with_its_kernel(http: ClientSession) -> None:
    async with opened(http, path="e.ipynb") as session:
        async with http.delete(f"api/kernels/{session['kernel']['id']}") as answer:
            assert answer.status == 204
        assert await get(http, "api/sessions") == []
        async with http.get(f"api/sessions/{session['id']}") as answer:
            assert answer.status == 404


REFUSED = [
    ("GET", f"api/sessions/{UNKNOWN}", None, 404, f"There is no session '{UNKNOWN}' here."),
    ("PATCH", f"api/sessions/{UNKNOWN}", "{}", 404, "There is no session"),
    ("PATCH", f"api/sessions/{UNKNOWN}", '{"path":5}', 400, "The body of the request does not fit"),
    ("DELETE", f"api/sessions/{UNKNOWN}", None, 404, "There is no session"),
    ("POST", "api/sessions", "{}", 400, "missing required field `path`"),
    ("POST", "api/sessions", '{"path":""}', 400, "A session needs a path."),
    ("POST", "api/sessions", "[]", 400, "does not fit"),
    ("POST", "api/sessions", '{"path":"x","kernel":{"name":"fortran"}}', 404, "There is no kernelspec"),
    ("POST", "api/sessions", f'{{"path":"x","kernel":{{"id":"{UNKNOWN}"}}}}', 404, "There is no kernel"),
    ("POST", "api/sessions", '{"path":"x","kernel":{"name":"ends at once"}}', 500, "this is why"),
    ("POST", "api/sessions", '{"path":"x","kernel":{"path":"/nowhere"}}', 400, "does not exist"),
    ("PUT", "api/sessions", "{}", 405, "Method Not Allowed"),
    ("POST", f"api/sessions/{UNKNOWN}", "{}", 405, "Method Not Allowed"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"), REFUSED, ids=[f"{m} {p} {b}" for m, p, b, *_ in REFUSED]
)
async def test_what_is_refused_is_refused_as_json(
    http: ClientSession, kernel_id: str, method: str, path: str, body: str | None, status: int, message: str
) -> None:
    async with http.request(method, path, data=body) as answer:
        assert answer.status == status
        refused = await answer.json()
    assert refused.keys() == {"message", "reason"}
    assert message in refused["message"]
    assert await get(http, "api/sessions") == []
    assert await kernels(http) == {kernel_id}


async def test_a_change_that_fails_leaves_the_session_as_it_was(http: ClientSession) -> None:
    async with opened(http, path="f.ipynb") as session:
        for change in ({"kernel": {"name": "ends at once"}}, {"kernel": {"id": UNKNOWN}, "path": "g.ipynb"}):
            async with http.patch(f"api/sessions/{session['id']}", json=change) as answer:
                assert answer.status in (404, 500)
        kept = await get(http, f"api/sessions/{session['id']}")
        assert lasting(kept) == lasting(session)
