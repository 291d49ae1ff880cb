"""The description of the API: valid, complete, and what the gateway really answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.gateway.served import Served

from kernelway.gateway.access import AccessRules
from kernelway.gateway.application import ROUTES, application
from kernelway.gateway.openapi import describe
from kernelway.gateway.service import Host

SPEC = describe(ROUTES, base_url="/user/ana/")

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_it_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(SPEC).iter_errors()) == []


def served_routes(host: Host) -> Iterator[tuple[str, str]]:
    app = application(host, rules=AccessRules(token=None, on_loopback=True))
    for route in app.router.routes():
        assert route.resource is not None
        yield route.method.lower(), route.resource.canonical


def test_every_served_route_is_described_and_nothing_else() -> None:
    # No route is called here, and so nothing of a host is.
    host: Any = None
    described = {(method, path) for path, methods in SPEC["paths"].items() for method in methods}
    assert described == set(served_routes(host))


def test_every_operation_has_an_id_a_summary_and_its_path_parameters() -> None:
    operations = [(path, each) for path, methods in SPEC["paths"].items() for each in methods.values()]
    ids = [operation["operationId"] for _, operation in operations]
    assert len(set(ids)) == len(ids)
    for path, operation in operations:
        assert operation["summary"].endswith(".")
        in_path = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))


def test_only_what_is_open_needs_no_token() -> None:
    open_paths = {
        path for path, methods in SPEC["paths"].items() if methods.get("get", {}).get("security") == []
    }
    assert open_paths == {"/api", "/kernelspecs/{name}/{resource}"}
    assert SPEC["security"] == [{"header": []}, {"query": []}]


def schema_of(method: str, template: str, status: int) -> dict[str, Any]:
    answer = SPEC["paths"][template][method]["responses"][str(status)]
    return {**answer["content"]["application/json"]["schema"], "components": SPEC["components"]}


ANSWERS = [
    ("get", "/api", "api", 200),
    ("get", "/api/status", "api/status", 200),
    ("get", "/api/me", "api/me", 200),
    ("get", "/api/spec.json", "api/spec.json", 200),
    ("get", "/api/kernels", "api/kernels", 200),
    ("get", "/api/kernels/{kernel_id}", "api/kernels/KERNEL", 200),
    ("get", "/api/kernels/{kernel_id}", f"api/kernels/{UNKNOWN}", 404),
    ("delete", "/api/kernels/{kernel_id}", f"api/kernels/{UNKNOWN}", 404),
    ("post", "/api/kernels/{kernel_id}/interrupt", f"api/kernels/{UNKNOWN}/interrupt", 404),
    ("post", "/api/kernels/{kernel_id}/restart", f"api/kernels/{UNKNOWN}/restart", 404),
    ("get", "/api/kernels/{kernel_id}/channels", "api/kernels/KERNEL/channels", 400),
    ("get", "/api/kernelspecs", "api/kernelspecs", 200),
    ("get", "/api/kernelspecs/{name}", "api/kernelspecs/pictured", 200),
    ("get", "/api/kernelspecs/{name}", "api/kernelspecs/fortran", 404),
    ("get", "/api/sessions", "api/sessions", 200),
    ("get", "/api/sessions/{session_id}", f"api/sessions/{UNKNOWN}", 404),
    ("patch", "/api/sessions/{session_id}", f"api/sessions/{UNKNOWN}", 404),
    ("post", "/api/kernels", "api/kernels", 400),
    ("post", "/api/sessions", "api/sessions", 400),
]


@pytest.mark.parametrize(("method", "template", "path", "status"), ANSWERS)
async def test_real_answers_are_as_they_are_described(
    http: ClientSession, kernel_id: str, method: str, template: str, path: str, status: int
) -> None:
    body = b'{"path":5}' if status == 400 else None
    async with http.request(method, path.replace("KERNEL", kernel_id), data=body) as answer:
        assert answer.status == status
        OAS31Validator(schema_of(method, template, status)).validate(await answer.json())


async def test_a_new_kernel_and_a_new_session_are_as_they_are_described(http: ClientSession) -> None:
    async with http.post("api/sessions", json={"path": "described.ipynb"}) as answer:
        session = await answer.json()
    OAS31Validator(schema_of("post", "/api/sessions", 201)).validate(session)
    kernel = session["kernel"]
    OAS31Validator(schema_of("post", "/api/kernels", 201)).validate(kernel)
    async with http.get(f"api/sessions/{session['id']}") as answer:
        OAS31Validator(schema_of("get", "/api/sessions/{session_id}", 200)).validate(await answer.json())
    async with http.patch(f"api/sessions/{session['id']}", json={"name": "n"}) as answer:
        OAS31Validator(schema_of("patch", "/api/sessions/{session_id}", 200)).validate(await answer.json())
    async with http.delete(f"api/sessions/{session['id']}") as answer:
        assert answer.status == 204


async def test_the_gateway_serves_it_with_its_own_base_url(http: ClientSession, gateway: Served) -> None:
    async with http.get("api/spec.json") as answer:
        assert await answer.json() == SPEC
        assert SPEC["servers"] == [{"url": "/user/ana/"}]
