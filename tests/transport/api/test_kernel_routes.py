"""``/api/kernels`` and ``/api/kernelspecs``, as real clients hold a server to them."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from tests.gateway.served import Served, connected, own_kernel, served_in
from tests.support.processes import until

BASE_URL = "/user/ana"

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def assert_kernel(model: dict[str, Any], **expected: object) -> None:
    assert set(model) - {"reason"} == {"id", "name", "last_activity", "execution_state", "connections"}
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", model["id"])
    assert MOMENT.fullmatch(model["last_activity"])
    assert model["execution_state"] in ("starting", "idle", "busy", "restarting", "dead")
    assert isinstance(model["connections"], int)
    assert expected.items() <= model.items()


async def get(http: ClientSession, path: str) -> Any:
    async with http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


# The life of a kernel


async def test_the_life_of_a_kernel(http: ClientSession, kernel_id: str) -> None:
    async with http.post("api/kernels", json={"name": "python3"}) as answer:
        assert answer.status == 201
        started = await answer.json()
        assert answer.headers["Location"] == f"{BASE_URL}/api/kernels/{started['id']}"
        assert answer.content_type == "application/json"
    assert_kernel(started, name="python3", connections=0)
    own = f"api/kernels/{started['id']}"

    assert {model["id"] for model in await get(http, "api/kernels")} == {kernel_id, started["id"]}
    assert_kernel(await get(http, own), id=started["id"])

    async def idle() -> bool:
        return bool((await get(http, own))["execution_state"] == "idle")

    await until(idle)

    async with http.post(f"{own}/interrupt") as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    async with http.post(f"{own}/restart") as answer:
        assert answer.status == 200
        assert_kernel(await answer.json(), id=started["id"], name="python3")

    async with http.delete(own) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    async with http.get(own) as answer:
        assert answer.status == 404
    assert [model["id"] for model in await get(http, "api/kernels")] == [kernel_id]


async def test_an_interrupt_ends_what_runs_and_a_restart_forgets_it(http: ClientSession) -> None:
    async with own_kernel(http) as kernel_id, connected(http, kernel_id) as socket:
        request = await socket.send(
            "execute_request", {"code": "kept = 1\nimport time\nprint('on')\ntime.sleep(60)", "silent": False}
        )
        await socket.until("stream", parent=request)
        assert (await get(http, f"api/kernels/{kernel_id}"))["execution_state"] == "busy"
        async with http.post(f"api/kernels/{kernel_id}/interrupt") as answer:
            assert answer.status == 204
        assert (await socket.until("error", parent=request)).read_content()["ename"] == "KeyboardInterrupt"
        await socket.until("status", parent=request, execution_state="idle")
        assert await socket.value("kept") == "1"

        async with http.post(f"api/kernels/{kernel_id}/restart") as answer:
            assert answer.status == 200
        assert await socket.value("'kept' in globals()") == "False"


async def test_a_new_kernel_has_its_folder_and_its_environment_to_itself(
    http: ClientSession, gateway: Served
) -> None:
    (gateway.folder / "sub").mkdir(exist_ok=True)
    names = range(3)
    bodies = [{"path": "sub", "env": {"WHO": f"me-{name}", f"ONLY_{name}": "1"}} for name in names]

    async def seen(body: dict[str, Any]) -> str:
        code = (
            "import os; (os.getcwd(), os.environ['WHO'], sorted(n for n in os.environ if n[:5] == 'ONLY_'))"
        )
        async with own_kernel(http, **body) as kernel_id, connected(http, kernel_id) as socket:
            return await socket.value(code)

    answers = await asyncio.gather(*map(seen, bodies))
    folder = str(gateway.folder / "sub")
    assert answers == [repr((folder, f"me-{name}", [f"ONLY_{name}"])) for name in names]


@pytest.mark.parametrize("body", [b"", b'{"name":"python3","env":{}}'])
async def test_what_stock_clients_send_to_start_a_kernel(http: ClientSession, body: bytes) -> None:
    # With and without a body, and with and without its type; {name, env} is a stock jupyter_server's.
    async with http.post("api/kernels", data=body) as answer:
        assert answer.status == 201, await answer.text()
        model = await answer.json()
    assert_kernel(model, name="python3")
    async with http.delete(f"api/kernels/{model['id']}") as answer:
        assert answer.status == 204


async def test_the_activity_and_the_connections_are_followed(http: ClientSession, kernel_id: str) -> None:
    before = await get(http, f"api/kernels/{kernel_id}")
    async with connected(http, kernel_id) as one, connected(http, kernel_id):
        await one.execute("1")
        during = await get(http, f"api/kernels/{kernel_id}")
        assert during["connections"] == 2
        assert during["last_activity"] > before["last_activity"]

    async def left() -> bool:
        return (await get(http, f"api/kernels/{kernel_id}"))["connections"] == 0

    await until(left)


async def test_a_limit_of_kernels_holds_in_a_burst(tmp_path: Path) -> None:
    with served_in(tmp_path, "--max-kernels", "2") as served:
        async with served.client() as http:

            async def start() -> tuple[int, dict[str, Any]]:
                async with http.post("api/kernels", json={}) as answer:
                    return answer.status, await answer.json()

            answers = await asyncio.gather(*(start() for _ in range(5)))
            assert sorted(status for status, _ in answers) == [201, 201, 403, 403, 403]
            assert len(await get(http, "api/kernels")) == 2
            refused = next(body for status, body in answers if status == 403)
            assert refused == {
                "message": "There are 2 kernels already, which is the limit of this gateway.",
                "reason": "Forbidden",
            }


# What is refused

REFUSED = [
    ("GET", f"api/kernels/{UNKNOWN}", None, 404, f"There is no kernel '{UNKNOWN}' here."),
    ("DELETE", f"api/kernels/{UNKNOWN}", None, 404, "There is no kernel"),
    ("POST", f"api/kernels/{UNKNOWN}/interrupt", None, 404, "There is no kernel"),
    ("POST", f"api/kernels/{UNKNOWN}/restart", None, 404, "There is no kernel"),
    ("GET", "api/kernels/%2e%2e%2fspec.json", None, 404, "There is no kernel '../spec.json' here."),
    ("POST", "api/kernels", '{"name":"fortran"}', 404, "There is no kernelspec 'fortran' here; there are: "),
    ("POST", "api/kernels", '{"name":"../x"}', 404, "There is no kernelspec"),
    ("POST", "api/kernels", '{"name":5}', 400, "The body of the request does not fit: Expected `str | null`"),
    ("POST", "api/kernels", '{"env":{"A":1}}', 400, "does not fit"),
    ("POST", "api/kernels", '{"env":["A"]}', 400, "does not fit"),
    ("POST", "api/kernels", "{", 400, "does not fit"),
    ("POST", "api/kernels", "[]", 400, "does not fit"),
    ("POST", "api/kernels", "null", 400, "does not fit"),
    ("POST", "api/kernels", b'{"name":"\xff"}', 400, "does not fit"),
    ("POST", "api/kernels", '{"env":' + "[" * 100_000, 400, "does not fit"),
    (
        "POST",
        "api/kernels",
        '{"path":"/nowhere/at/all"}',
        400,
        "The working folder '/nowhere/at/all' does not exist",
    ),
    ("POST", "api/kernels", '{"path":"a\\u0000b"}', 400, "does not exist"),
    (
        "POST",
        "api/kernels",
        '{"name":"ends at once"}',
        500,
        "exited with status 3. The end of its output:\nthis is why",
    ),
    ("POST", "api/kernels", '{"name":"not-there"}', 500, "'not-there' could not be started: "),
    ("GET", "api/kernelspecs/fortran", None, 404, "There is no kernelspec 'fortran' here"),
    ("GET", "kernelspecs/fortran/logo-64x64.png", None, 404, "There is no kernelspec"),
    ("GET", "kernelspecs/pictured/logo-32x32.png", None, 404, "has no resource 'logo-32x32.png'"),
    ("GET", "kernelspecs/pictured/secret.txt", None, 404, "has no resource"),
    ("GET", "kernelspecs/pictured/kernel.json", None, 404, "has no resource"),
    ("GET", "kernelspecs/pictured/..%2fstray.png", None, 404, "has no resource"),
    ("GET", "kernelspecs/pictured/%2fetc%2fpasswd", None, 404, "has no resource"),
    ("PUT", "api/kernels", "{}", 405, "Method Not Allowed"),
    ("PATCH", f"api/kernels/{UNKNOWN}", "{}", 405, "Method Not Allowed"),
    ("GET", f"api/kernels/{UNKNOWN}/restart", None, 405, "Method Not Allowed"),
    ("HEAD", f"api/kernels/{UNKNOWN}/channels", None, 405, ""),
    ("GET", "api/nothing", None, 404, "Not Found"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    REFUSED,
    ids=[f"{m} {p} {str(b)[:30]}" for m, p, b, *_ in REFUSED],
)
async def test_what_is_refused_is_refused_as_json(
    http: ClientSession,
    gateway: Served,
    method: str,
    path: str,
    body: str | bytes | None,
    status: int,
    message: str,
) -> None:
    async with http.request(method, path, data=body) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/json"
        if method == "HEAD":
            return
        refused = await answer.json()
        assert refused.keys() == {"message", "reason"}
        assert refused["reason"]
        assert message in refused["message"]
        assert "Traceback" not in refused["message"]
        assert (status == 405) == ("Allow" in answer.headers)
    # Nothing of it is left, in whatever state.
    assert all(model["name"] == "python3" for model in await get(http, "api/kernels"))


async def test_a_body_that_is_too_large_is_refused_as_json(http: ClientSession) -> None:
    async with http.post("api/kernels", data=io.BytesIO(b" " * (2 << 20))) as answer:
        assert answer.status == 413
        assert await answer.json() == {
            "message": "Request Entity Too Large",
            "reason": "Request Entity Too Large",
        }


async def test_no_request_of_these_was_a_fault_of_the_gateway(gateway: Served, http: ClientSession) -> None:
    for method, path, body, status, _ in REFUSED:
        if status < 500:
            async with http.request(method, path, data=body):
                pass
    # What is the gateway's own fault is logged as an error of its application.
    assert not re.search(r"^\S+ \S+ [EC] application: ", gateway.process.text, re.MULTILINE)


# Kernelspecs


async def test_the_kernelspecs(http: ClientSession) -> None:
    answer = await get(http, "api/kernelspecs")
    assert answer.keys() == {"default", "kernelspecs"}
    assert answer["default"] == "python3"
    assert {"python3", "pictured", "not-there", "ends at once"} <= answer["kernelspecs"].keys()
    for name, model in answer["kernelspecs"].items():
        assert model.keys() == {"name", "spec", "resources"}
        assert model["name"] == name
        assert {"argv", "display_name", "language"} <= model["spec"].keys()
        assert isinstance(model["spec"]["argv"], list)
        assert await get(http, f"api/kernelspecs/{name}") == model


async def test_resources_are_urls_under_the_base_url_that_serve(http: ClientSession, gateway: Served) -> None:
    model = (await get(http, "api/kernelspecs"))["kernelspecs"]["pictured"]
    assert model["resources"] == {
        "logo-64x64": f"{BASE_URL}/kernelspecs/pictured/logo-64x64.png",
        "kernel.js": f"{BASE_URL}/kernelspecs/pictured/kernel.js",
    }
    # A page loads a picture without a header, and so without the token.
    async with gateway.client({}) as anonymous, anonymous.get(model["resources"]["logo-64x64"]) as answer:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert await answer.read() == b"\x89PNG not really"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with http.get(model["resources"]["kernel.js"]) as answer:
        assert answer.content_type in ("text/javascript", "application/javascript")


@pytest.mark.parametrize(
    "path", ["api/kernels", "api/kernelspecs", "api/kernelspecs/python3", "api/sessions", "api"]
)
async def test_a_cache_buster_in_the_query_changes_nothing(http: ClientSession, path: str) -> None:
    async with http.get(f"{path}?1763663400000") as busted, http.get(f"{path}?_=1") as other:
        assert (busted.status, other.status) == (200, 200)
        assert (await busted.json()).__class__ is (await get(http, path)).__class__
