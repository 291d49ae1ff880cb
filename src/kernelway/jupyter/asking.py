"""What a gateway has, asked in as few steps as its kind of server allows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kernelway.client.rest import RestApi
from kernelway.jupyter.lists import Lists, by_id
from kernelway.protocol.errors import Forbidden, NotFound
from kernelway.protocol.models import KernelId, KernelModel, SessionModel


@dataclass(frozen=True, slots=True)
class Refused:
    """What a server does not list, as a kernel_gateway does neither unless it is told to."""

    kernels: bool = False
    sessions: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A server's answers, and what it refused."""

    lists: Lists
    refused: Refused


async def ask(rest: RestApi, *, refused: Refused, started: Iterable[KernelId]) -> Answered:
    """Ask for everything at once; what was refused before is not asked for again.

    Of a server that does not list its kernels those that are ``started`` are asked for, one by one. Raises
    the first error that is not such a refusal; nothing is still asked then.
    """
    try:
        async with asyncio.TaskGroup() as questions:
            specs = questions.create_task(rest.kernelspecs())
            kernels = questions.create_task(_kernels(rest, refused, started))
            sessions = questions.create_task(_sessions(rest, refused))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    models, kernels_refused = kernels.result()
    of_sessions = sessions.result()
    lists = by_id(models, of_sessions or ())
    lists = replace(lists, kernelspecs=specs.result().kernelspecs, default_kernelspec=specs.result().default)
    return Answered(lists, Refused(kernels=kernels_refused, sessions=of_sessions is None))


async def _kernels(
    rest: RestApi, refused: Refused, started: Iterable[KernelId]
) -> tuple[list[KernelModel], bool]:
    if not refused.kernels:
        try:
            return await rest.kernels(), False
        except (Forbidden, NotFound):
            pass
    models = []
    for kernel_id in started:
        # One after the other: they are few, and this server may be a small one.
        model = await one_kernel(rest, kernel_id)
        if model is not None:
            models.append(model)
    return models, True


async def one_kernel(rest: RestApi, kernel_id: KernelId) -> KernelModel | None:
    """A kernel, or None where the server has none with this id."""
    try:
        return await rest.kernel(kernel_id)
    except NotFound:
        return None


async def _sessions(rest: RestApi, refused: Refused) -> list[SessionModel] | None:
    if refused.sessions:
        return None
    try:
        return await rest.sessions()
    except (Forbidden, NotFound):
        return None
