"""``/api/kernels`` and ``/api/kernelspecs``."""

from __future__ import annotations

import mimetypes
from http import HTTPStatus

import msgspec
from aiohttp import web

from kernelway.protocol.models import (
    EndedKernel,
    KernelId,
    KernelModel,
    KernelSpecModel,
    KernelSpecs,
    StartKernel,
)
from kernelway.transport.api.routes import BASE_URL, HOST, Route, answer, nothing, read


async def list_kernelspecs(request: web.Request) -> web.Response:
    """GET /api/kernelspecs."""
    specs = await request.app[HOST].kernelspecs()
    models = {name: _with_base(request, spec) for name, spec in specs.kernelspecs.items()}
    return answer(KernelSpecs(default=specs.default, kernelspecs=models))


async def get_kernelspec(request: web.Request) -> web.Response:
    """GET /api/kernelspecs/{name}."""
    return answer(_with_base(request, await request.app[HOST].kernelspec(request.match_info["name"])))


def _with_base(request: web.Request, spec: KernelSpecModel) -> KernelSpecModel:
    base = request.app[BASE_URL].rstrip("/")
    return msgspec.structs.replace(
        spec, resources={name: base + path for name, path in spec.resources.items()}
    )


async def get_resource(request: web.Request) -> web.Response:
    """GET /kernelspecs/{name}/{resource}."""
    name, file = request.match_info["name"], request.match_info["resource"]
    content = await request.app[HOST].kernelspec_resource(name, file)
    kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
    return web.Response(body=content, content_type=kind, headers={"Cache-Control": "max-age=3600"})


async def list_kernels(request: web.Request) -> web.Response:
    """GET /api/kernels."""
    return answer(await request.app[HOST].kernels())


async def start_kernel(request: web.Request) -> web.Response:
    """POST /api/kernels."""
    kernel = await request.app[HOST].start_kernel(await read(request, StartKernel))
    location = f"{request.app[BASE_URL]}api/kernels/{kernel.id}"
    return answer(kernel, status=HTTPStatus.CREATED, location=location)


async def get_kernel(request: web.Request) -> web.Response:
    """GET /api/kernels/{id}."""
    return answer(await request.app[HOST].kernel(_kernel_id(request)))


async def shutdown_kernel(request: web.Request) -> web.Response:
    """DELETE /api/kernels/{id}."""
    await request.app[HOST].shutdown_kernel(_kernel_id(request))
    return nothing()


async def interrupt_kernel(request: web.Request) -> web.Response:
    """POST /api/kernels/{id}/interrupt."""
    await request.app[HOST].interrupt_kernel(_kernel_id(request))
    return nothing()


async def restart_kernel(request: web.Request) -> web.Response:
    """POST /api/kernels/{id}/restart."""
    return answer(await request.app[HOST].restart_kernel(_kernel_id(request)))


async def list_ended(request: web.Request) -> web.Response:
    """GET /api/kernelway/ended."""
    return answer(await request.app[HOST].ended_kernels())


def _kernel_id(request: web.Request) -> KernelId:
    return KernelId(request.match_info["kernel_id"])


_MISSING = (HTTPStatus.NOT_FOUND,)
_FAILS_TO_START = (HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR)

ROUTES = (
    Route(
        method="GET",
        path="api/kernelspecs",
        handler=list_kernelspecs,
        summary="All kernelspecs.",
        answer=KernelSpecs,
    ),
    Route(
        method="GET",
        path="api/kernelspecs/{name}",
        handler=get_kernelspec,
        summary="One kernelspec.",
        answer=KernelSpecModel,
        errors=_MISSING,
    ),
    Route(
        method="GET",
        path="kernelspecs/{name}/{resource}",
        handler=get_resource,
        summary="A logo or style file of a kernelspec.",
        errors=_MISSING,
        open=True,
    ),
    Route(
        method="GET",
        path="api/kernels",
        handler=list_kernels,
        summary="All running kernels.",
        answer=list[KernelModel],
    ),
    Route(
        method="POST",
        path="api/kernels",
        handler=start_kernel,
        summary="Start a kernel; answers when it is ready, or after ten seconds as still starting.",
        body=StartKernel,
        answer=KernelModel,
        status=HTTPStatus.CREATED,
        errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, *_FAILS_TO_START),
    ),
    Route(
        method="GET",
        path="api/kernels/{kernel_id}",
        handler=get_kernel,
        summary="One kernel.",
        answer=KernelModel,
        errors=_MISSING,
    ),
    Route(
        method="DELETE",
        path="api/kernels/{kernel_id}",
        handler=shutdown_kernel,
        summary="End a kernel and everything it started.",
        status=HTTPStatus.NO_CONTENT,
        errors=_MISSING,
    ),
    Route(
        method="POST",
        path="api/kernels/{kernel_id}/interrupt",
        handler=interrupt_kernel,
        summary="Interrupt what the kernel runs.",
        status=HTTPStatus.NO_CONTENT,
        errors=(*_MISSING, HTTPStatus.GONE),
    ),
    Route(
        method="POST",
        path="api/kernels/{kernel_id}/restart",
        handler=restart_kernel,
        summary="Restart the kernel; its clients stay connected.",
        answer=KernelModel,
        errors=_FAILS_TO_START,
    ),
    Route(
        method="GET",
        path="api/kernelway/ended",
        handler=list_ended,
        summary="The kernels that have ended and whose messages are still kept, the latest first.",
        answer=list[EndedKernel],
    ),
)
