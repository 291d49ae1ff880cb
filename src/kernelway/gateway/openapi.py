"""The OpenAPI 3.1 description of the REST API, generated from the routes and models that serve it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import starmap
from typing import Any

import msgspec

from kernelway import __version__
from kernelway.protocol.models import ErrorModel
from kernelway.transport.api.routes import Route

_REFERENCE = "#/components/schemas/{name}"


def describe(routes: Sequence[Route], *, base_url: str) -> dict[str, Any]:
    """The whole description, as JSON types."""
    models = [model for route in routes for model in (route.body, route.answer) if model is not None]
    schemas, components = msgspec.json.schema_components([*models, ErrorModel], ref_template=_REFERENCE)
    schema_of = dict(zip(map(repr, [*models, ErrorModel]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault("/" + route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kernelway",
            "version": __version__,
            "description": "Jupyter's REST API for kernels, kernelspecs and sessions.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": base_url}],
        "security": [{"header": []}, {"query": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "header": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "token"},
            },
        },
    }


def _operation(route: Route, schema_of: dict[str, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "responses": dict(_responses(route, schema_of)),
    }
    parameters = [
        *map(_in_path, re.findall(r"\{(\w+)\}", route.path)),
        *starmap(_in_query, route.query.items()),
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"content": _json(schema_of[repr(route.body)])}
    if route.open:
        operation["security"] = []
    return operation


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(name: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}


def _responses(route: Route, schema_of: dict[str, dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    done: dict[str, Any] = {"description": route.status.phrase}
    if route.answer is not None:
        done["content"] = _json(schema_of[repr(route.answer)])
    yield str(route.status.value), done
    refused = () if route.open else (HTTPStatus.UNAUTHORIZED,)
    for status in sorted({*refused, *route.errors}):
        error = {"description": status.phrase, "content": _json(schema_of[repr(ErrorModel)])}
        yield str(status.value), error


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
